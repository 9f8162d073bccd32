// Batch normalisation of images, alone and with pooling: arguments N, C and H = W.
#include "bench/ops/roofline.h"
#include "tensor/ops.h"

namespace athanor::bench {
namespace {

struct Norm {
  Tensor x, gamma, beta, mean, variance;
  BatchNormOptions options;
};

Norm norm_of(const benchmark::State& state) {
  const std::int64_t N = state.range(0), C = state.range(1), H = state.range(2);
  Norm n{channels_last(random_input({N, C, H, H})),
         random_input({C}),
         random_input({C}),
         zeros({C}),
         ones({C}),
         {}};
  n.options.relu = true;
  return n;
}
void norm_sizes(benchmark::internal::Benchmark* b) {
  b->Args({128, 32, 28})->Args({128, 64, 14})->Args({64, 16, 32})->Args({64, 64, 8})->UseRealTime();
}
double bytes_of(const Tensor& t) { return 4 * static_cast<double>(t.numel()); }

// Statistics, then the normalised image: two readings of x and one writing.
void forward_row(benchmark::State& state, bool pooled) {
  Norm n = norm_of(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        batch_norm_with_statistics(n.x, n.gamma, n.beta, n.mean, n.variance, n.options, pooled));
  }
  count_work(state, (pooled ? 2.5 : 3) * bytes_of(n.x), 0);
}
BENCHMARK_CAPTURE(forward_row, plain, false)->Name("batch_norm")->Apply(norm_sizes);
BENCHMARK_CAPTURE(forward_row, pooled, true)->Name("batch_norm_pooled")->Apply(norm_sizes);

// Two readings of x and of dy, one writing of dx.
void backward_row(benchmark::State& state, bool pooled) {
  Norm n = norm_of(state);
  const BatchNormResult r =
      batch_norm_with_statistics(n.x, n.gamma, n.beta, n.mean, n.variance, n.options, pooled);
  const Tensor dy = clone(r.y);
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        batch_norm_backward(dy, n.x, n.gamma, n.beta, r.mean, r.rstd, true, r.index).dx);
  }
  count_work(state, (pooled ? 4 : 5) * bytes_of(n.x), 0);
}
BENCHMARK_CAPTURE(backward_row, plain, false)->Name("batch_norm_backward")->Apply(norm_sizes);
BENCHMARK_CAPTURE(backward_row, pooled, true)
    ->Name("batch_norm_pooled_backward")
    ->Apply(norm_sizes);

}  // namespace
}  // namespace athanor::bench
