// Operations that are limited by memory: elementwise, reductions, and those along rows.
#include "bench/ops/roofline.h"
#include "tensor/ops.h"

namespace athanor::bench {
namespace {

// f(x) for x [rows, columns]; `passes` counts how often the bytes of x are read or written.
template <class F>
void run_rows(benchmark::State& state, double passes, F f) {
  const Tensor x = random_input({state.range(0), state.range(1)});
  for (auto _ : state) benchmark::DoNotOptimize(f(x));
  count_work(state, passes * 4 * static_cast<double>(x.numel()), 0);
}

void sizes(benchmark::internal::Benchmark* b) {
  b->Args({4096, 1024})->Args({128, 1000})->Args({64, 64})->UseRealTime();
}

#define ATHANOR_ROW_BENCH(name, passes, expression)                                \
  void name##_row(benchmark::State& state) {                                       \
    run_rows(state, passes, [](const Tensor& x) -> Tensor { return expression; }); \
  }                                                                                \
  BENCHMARK(name##_row)->Name(#name)->Apply(sizes)

ATHANOR_ROW_BENCH(add, 2, add(x, x));
ATHANOR_ROW_BENCH(mul_scalar, 2, mul(x, 1.5));
ATHANOR_ROW_BENCH(relu, 2, relu(x));
ATHANOR_ROW_BENCH(exp, 2, exp(x));
ATHANOR_ROW_BENCH(tanh, 2, tanh(x));
ATHANOR_ROW_BENCH(erf, 2, erf(x));
ATHANOR_ROW_BENCH(gelu, 2, gelu(x));
ATHANOR_ROW_BENCH(gelu_grad, 3, gelu_grad(x, x));
ATHANOR_ROW_BENCH(sigmoid, 2, sigmoid(x));
ATHANOR_ROW_BENCH(softmax, 2, softmax(x, -1));
ATHANOR_ROW_BENCH(log_softmax, 2, log_softmax(x, -1));
ATHANOR_ROW_BENCH(sum_all, 1, sum(x));
ATHANOR_ROW_BENCH(sum_rows, 1, sum(x, {1}));
ATHANOR_ROW_BENCH(sum_columns, 1, sum(x, {0}));
ATHANOR_ROW_BENCH(amax_rows, 1, amax(x, {1}));
ATHANOR_ROW_BENCH(transpose, 2, contiguous(transpose(x)));
ATHANOR_ROW_BENCH(to_bf16, 1.5, cast(x, DType::bf16));

}  // namespace
}  // namespace athanor::bench
