// INT8 layers beside the same in f32: GFLOP/s count two operations a product.
#include <string>

#include "bench/ops/roofline.h"
#include "tensor/ops.h"

namespace athanor::bench {
namespace {

double as_double(std::int64_t n) { return static_cast<double>(n); }

// A linear layer: [rows, in] to [rows, out].
struct Linear {
  const char* name;
  std::int64_t rows, in, out;
};
constexpr Linear kLinears[] = {{"mlp", 128, 784, 256},       {"wide", 128, 1200, 1200},
                               {"long", 64, 3136, 128},      {"encoder", 2048, 256, 1024},
                               {"square", 1024, 1024, 1024}, {"vector", 1, 384, 384},
                               {"last", 64, 128, 10}};

QuantizedWeight weight_of(const Shape& shape, const Conv2dOptions& options = {}) {
  const Tensor w = random_input(shape), scale = channel_scales(w);
  return {quantize_per_channel(w, scale), scale, zeros({shape[0]}), {0.02f, 128}, options};
}
Tensor bytes_of(const Tensor& x) { return quantize(x, {0.02f, 128}); }

const QuantizedOutput kRelu{Quantization{0.5f, 0}, true};

// A convolution of C to O channels with a k x k kernel, stride 1, the same size out as in.
struct Conv {
  const char* name;
  std::int64_t N, C, H, O, k;
  bool pool;
  std::int64_t groups = 1;
};
constexpr Conv kConvs[] = {
    {"first_pool", 64, 1, 28, 32, 3, true}, {"second_pool", 64, 32, 14, 64, 3, true},
    {"c64", 64, 64, 28, 64, 3, false},      {"c16", 64, 16, 32, 16, 3, false},
    {"c64_1x1", 64, 64, 28, 64, 1, false},  {"depthwise", 64, 64, 28, 64, 3, false, 64},
};

// linear/int8/..., linear/f32/... and so on.
const bool kRegistered = [] {
  const auto row = [](const std::string& name, auto run) {
    benchmark::RegisterBenchmark(name.c_str(), run)->UseRealTime();
  };
  for (const Linear& l : kLinears) {
    const auto count = [&l](benchmark::State& state, double size) {
      count_work(state, size * as_double(l.rows * l.in + l.in * l.out + l.rows * l.out),
                 2 * as_double(l.rows * l.in) * as_double(l.out));
    };
    row(std::string("linear/f32/") + l.name, [&l, count](benchmark::State& state) {
      const Tensor x = random_input({l.rows, l.in}), w = random_input({l.out, l.in});
      const Tensor b = zeros({l.out});
      for (auto _ : state) benchmark::DoNotOptimize(linear(x, w, b));
      count(state, 4);
    });
    row(std::string("linear/int8/") + l.name, [&l, count](benchmark::State& state) {
      const Tensor x = bytes_of(random_input({l.rows, l.in}));
      const QuantizedWeight w = weight_of({l.out, l.in});
      for (auto _ : state) benchmark::DoNotOptimize(quantized_linear(x, w, kRelu));
      count(state, 1);
    });
  }
  for (const Conv& c : kConvs) {
    const auto count = [&c](benchmark::State& state, double size) {
      const std::int64_t products = c.C / c.groups * c.k * c.k;
      count_work(state, size * as_double(c.N * c.H * c.H * (c.C + c.O) + c.O * products),
                 2 * as_double(c.N * c.H * c.H) * as_double(c.O * products));
    };
    Conv2dOptions options;
    options.padding = c.k / 2;
    options.groups = c.groups;
    row(std::string("conv2d_relu/f32/") + c.name, [&c, count, options](benchmark::State& state) {
      const Tensor x = channels_last(random_input({c.N, c.C, c.H, c.H}));
      const Tensor w = random_input({c.O, c.C / c.groups, c.k, c.k}), b = zeros({c.O});
      Conv2dOptions o = options;
      o.relu = true;
      for (auto _ : state) {
        benchmark::DoNotOptimize(c.pool ? conv2d_max_pool2d(x, w, b, o, {2}) : conv2d(x, w, b, o));
      }
      count(state, 4);
    });
    row(std::string("conv2d_relu/int8/") + c.name, [&c, count, options](benchmark::State& state) {
      const Tensor x = bytes_of(channels_last(random_input({c.N, c.C, c.H, c.H})));
      const QuantizedWeight w = weight_of({c.O, c.C / c.groups, c.k, c.k}, options);
      for (auto _ : state) {
        benchmark::DoNotOptimize(c.pool ? quantized_conv2d_max_pool2d(x, w, kRelu)
                                        : quantized_conv2d(x, w, kRelu));
      }
      count(state, 1);
    });
  }
  return true;
}();

}  // namespace
}  // namespace athanor::bench
