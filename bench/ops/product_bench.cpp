// Operations that are limited by arithmetic: matrix products and convolutions.
#include "bench/ops/roofline.h"
#include "tensor/ops.h"

namespace athanor::bench {
namespace {

double as_double(std::int64_t n) { return static_cast<double>(n); }

// Arguments M, N, K, and 1 for a transposed right side, as a linear layer has it.
void matmul_rows(benchmark::State& state) {
  const std::int64_t M = state.range(0), N = state.range(1), K = state.range(2);
  const bool transposed = state.range(3) != 0;
  const Tensor a = random_input({M, K});
  const Tensor b = transposed ? transpose(random_input({N, K})) : random_input({K, N});
  for (auto _ : state) benchmark::DoNotOptimize(matmul(a, b).raw());
  count_work(state, 4 * as_double(M * K + K * N + M * N), 2 * as_double(M * N) * as_double(K));
}
BENCHMARK(matmul_rows)
    ->Name("matmul")
    ->Args({128, 256, 784, 1})
    ->Args({128, 1200, 1200, 1})
    ->Args({1200, 1200, 128, 0})
    ->Args({2048, 768, 256, 1})
    ->Args({2708, 16, 1433, 0})
    ->Args({64, 64, 64, 0})
    ->Args({8, 8, 8, 0})
    ->Args({1024, 1024, 1024, 0})
    ->UseRealTime();

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

void conv2d_row(benchmark::State& state) {
  const Conv c = conv_of(state);
  for (auto _ : state) benchmark::DoNotOptimize(conv2d(c.x, c.w, {}, c.options).raw());
  count_work(state, c.bytes, c.flops);
}
BENCHMARK(conv2d_row)->Name("conv2d")->Apply(conv_sizes);

void conv2d_input_row(benchmark::State& state) {
  const Conv c = conv_of(state);
  const Tensor dy = conv2d(c.x, c.w, {}, c.options);
  for (auto _ : state) {
    benchmark::DoNotOptimize(conv2d_backward_input(dy, c.w, c.x.shape(), c.options).raw());
  }
  count_work(state, c.bytes, c.flops);
}
BENCHMARK(conv2d_input_row)->Name("conv2d_backward_input")->Apply(conv_sizes);

void conv2d_weight_row(benchmark::State& state) {
  const Conv c = conv_of(state);
  const Tensor dy = conv2d(c.x, c.w, {}, c.options);
  for (auto _ : state) {
    benchmark::DoNotOptimize(conv2d_backward_weight(dy, c.x, c.w.shape(), c.options).dw.raw());
  }
  count_work(state, c.bytes, c.flops);
}
BENCHMARK(conv2d_weight_row)->Name("conv2d_backward_weight")->Apply(conv_sizes);

}  // namespace
}  // namespace athanor::bench
