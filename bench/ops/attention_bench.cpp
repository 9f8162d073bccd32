// Attention forward and backward, heads as they lie after one projection to queries, keys and
// values.
#include "bench/ops/roofline.h"
#include "tensor/ops.h"
#include "tensor/ops/attention.h"

namespace athanor::bench {
namespace {

// Arguments B, L, H, D and whether it is causal.
struct Heads {
  Tensor q, k, v;
  AttentionOptions options;
  double bytes, flops;  // of the forward pass; the products that are needed
};
Heads heads_of(const benchmark::State& state) {
  const std::int64_t B = state.range(0), L = state.range(1), H = state.range(2), D = state.range(3);
  const Tensor all = random_input({B, L, 3 * H * D});
  const auto part = [&](std::int64_t i) {
    return transpose(reshape(slice(all, 2, i * H * D, (i + 1) * H * D), {B, L, H, D}), 1, 2);
  };
  Heads heads{part(0), part(1), part(2), {}, 0, 0};
  heads.options.causal = state.range(4) != 0;
  const auto elements = static_cast<double>(B * H * L);
  heads.bytes = 16 * elements * static_cast<double>(D);
  heads.flops = 4 * elements * static_cast<double>(D) *
                (heads.options.causal ? 0.5 * static_cast<double>(L + 1) : static_cast<double>(L));
  return heads;
}
void head_sizes(benchmark::internal::Benchmark* b) {
  b->Args({12, 128, 4, 32, 1})->Args({32, 64, 4, 64, 0})->Args({1, 2048, 8, 64, 0})->UseRealTime();
}

void attention_row(benchmark::State& state) {
  const Heads h = heads_of(state);
  for (auto _ : state) benchmark::DoNotOptimize(attention(h.q, h.k, h.v, h.options));
  count_work(state, h.bytes, h.flops);
}
BENCHMARK(attention_row)->Name("attention")->Apply(head_sizes);

void attention_backward_row(benchmark::State& state) {
  const Heads h = heads_of(state);
  const AttentionResult result = attention_with_lse(h.q, h.k, h.v, h.options);
  for (auto _ : state) {
    benchmark::DoNotOptimize(attention_backward(result.y, h.q, h.k, h.v, result, h.options));
  }
  count_work(state, 2 * h.bytes, 2.5 * h.flops);
}
BENCHMARK(attention_backward_row)->Name("attention_backward")->Apply(head_sizes);

}  // namespace
}  // namespace athanor::bench
