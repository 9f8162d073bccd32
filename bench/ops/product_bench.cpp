// Operations that are limited by arithmetic: matrix products and convolutions.
#include <string>
#include <utility>

#include "bench/ops/roofline.h"
#include "tensor/backend/cpu/matmul.h"
#include "tensor/ops.h"
#include "tensor/ops/operand.h"

namespace athanor::bench {
namespace {

double as_double(std::int64_t n) { return static_cast<double>(n); }

// A product a b of [M, K] and [K, N]; the ends of the name say which of them are transposed in
// memory: nt as a linear layer has it, tn as the gradient of its weight.
struct Product {
  const char* name;
  std::int64_t M, N, K;
  bool transposed_a, transposed_b;
};
constexpr Product kProducts[] = {
    {"mlp_nt", 128, 256, 784, false, true},        {"mlp_tn", 256, 784, 128, true, false},
    {"wide_nt", 128, 1200, 1200, false, true},     {"wide_nn", 128, 1200, 1200, false, false},
    {"wide_tn", 1200, 1200, 128, true, false},     {"long_nt", 128, 128, 3136, false, true},
    {"encoder_nt", 2048, 1024, 256, false, true},  {"encoder_nn", 2048, 256, 1024, false, false},
    {"encoder_tn", 1024, 256, 2048, true, false},  {"gpt_nt", 1536, 128, 128, false, true},
    {"gpt_tn", 512, 128, 1536, true, false},       {"minilm_nt", 512, 1536, 384, false, true},
    {"graph_nn", 2708, 16, 1433, false, false},    {"graph_tn", 1433, 16, 2708, true, false},
    {"few_nt", 4, 512, 128, false, true},          {"vector_nt", 1, 384, 384, false, true},
    {"small_nn", 64, 64, 64, false, false},        {"tiny_nn", 16, 16, 16, false, false},
    {"square_nn", 1024, 1024, 1024, false, false}, {"infer_nt", 64, 128, 3136, false, true},
};

void matmul_rows(benchmark::State& state, const Product& p, void (*run)(const MatmulArgs&)) {
  const Tensor a = p.transposed_a ? transpose(random_input({p.K, p.M})) : random_input({p.M, p.K});
  const Tensor b = p.transposed_b ? transpose(random_input({p.N, p.K})) : random_input({p.K, p.N});
  Tensor c = empty({p.M, p.N});
  for (auto _ : state) {
    run({operand(a), operand(b), operand(c), {}});
    benchmark::ClobberMemory();
  }
  count_work(state, 4 * as_double(p.M * p.K + p.K * p.N + p.M * p.N),
             2 * as_double(p.M * p.N) * as_double(p.K));
}

// matmul/shape/path: what ATHANOR_GEMM chooses between.
const bool kProductsRegistered = [] {
  cpu_kernels();  // sets own_matmul
  for (const Product& p : kProducts) {
    for (const auto& [path, run] : {std::pair{cpu::GemmPath::own, cpu::own_matmul},
                                    std::pair{cpu::GemmPath::openblas, &cpu::openblas_matmul},
                                    std::pair{cpu::GemmPath::onednn, &cpu::onednn_matmul}}) {
      const std::string name = std::string("matmul/") + p.name + "/" + cpu::name_of(path);
      benchmark::RegisterBenchmark(name.c_str(), [&p, run = run](benchmark::State& state) {
        matmul_rows(state, p, run);
      })->UseRealTime();
    }
  }
  return true;
}();

// Arguments N, C, H, O and the kernel's size; stride 1, the same size out as in.
struct Conv {
  Tensor x, w;
  Conv2dOptions options;
  double bytes, flops;
};
Conv conv_of(const benchmark::State& state) {
  const std::int64_t N = state.range(0), C = state.range(1), H = state.range(2), O = state.range(3),
                     k = state.range(4);
  Conv conv{channels_last(random_input({N, C, H, H})), random_input({O, C, k, k}), {}, 0, 0};
  conv.options.padding = k / 2;
  conv.bytes = 4 * as_double(N * H * H * (C + O) + O * C * k * k);
  conv.flops = 2 * as_double(N * H * H) * as_double(C * O * k * k);
  return conv;
}
void conv_sizes(benchmark::internal::Benchmark* b) {
  b->Args({128, 1, 28, 32, 3})->Args({128, 32, 14, 64, 3})->Args({64, 64, 28, 64, 3});
  b->Args({64, 16, 32, 16, 3})->Args({64, 64, 28, 64, 1})->UseRealTime();
}

// Times f(c, dy), dy being like the result of the forward pass.
template <class F>
void time_conv(benchmark::State& state, F f) {
  const Conv c = conv_of(state);
  const Tensor dy = conv2d(c.x, c.w, {}, c.options);
  for (auto _ : state) benchmark::DoNotOptimize(f(c, dy));
  count_work(state, c.bytes, c.flops);
}

void conv2d_row(benchmark::State& state) {
  time_conv(state, [](const Conv& c, const Tensor&) { return conv2d(c.x, c.w, {}, c.options); });
}
BENCHMARK(conv2d_row)->Name("conv2d")->Apply(conv_sizes);

void conv2d_pool_row(benchmark::State& state) {
  time_conv(state, [](const Conv& c, const Tensor&) {
    Conv2dOptions options = c.options;
    options.relu = true;
    return conv2d_max_pool2d(c.x, c.w, {}, options, {2});
  });
}
BENCHMARK(conv2d_pool_row)->Name("conv2d_max_pool2d")->Apply(conv_sizes);

void conv2d_input_row(benchmark::State& state) {
  time_conv(state, [](const Conv& c, const Tensor& dy) {
    return conv2d_backward_input(dy, c.w, c.x.shape(), c.options);
  });
}
BENCHMARK(conv2d_input_row)->Name("conv2d_backward_input")->Apply(conv_sizes);

void conv2d_weight_row(benchmark::State& state) {
  time_conv(state, [](const Conv& c, const Tensor& dy) {
    return conv2d_backward_weight(dy, c.x, c.w.shape(), c.options).dw;
  });
}
BENCHMARK(conv2d_weight_row)->Name("conv2d_backward_weight")->Apply(conv_sizes);

}  // namespace
}  // namespace athanor::bench
