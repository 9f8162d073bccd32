// Single operations, forward unless the name says otherwise.
#include <cmath>

#include "autograd/ops.h"
#include "cli/bench/bench.h"
#include "tensor/ops/device.h"

namespace athanor::cli::bench {
namespace {

constexpr std::int64_t kRows = 4096, kColumns = 1024;

template <class F>
void time_rows(const Bench& bench, const char* name, F op) {
  Generator g(0);
  const Tensor x = to(random_normal({kRows, kColumns}, g), bench.device());
  Work work;
  work.bytes = 2.0 * 4 * kRows * kColumns;
  const NoGrad no_grad;
  bench.time(
      name, "f32", work, [&] { op(x); }, 100);
}

void softmax_row(const Bench& bench) {
  time_rows(bench, "softmax", [](const Tensor& x) { softmax(x, 1); });
}
void gelu_row(const Bench& bench) {
  time_rows(bench, "gelu", [](const Tensor& x) { gelu(x); });
}
void add_row(const Bench& bench) {
  time_rows(bench, "add", [](const Tensor& x) { add(x, x); });
}
void layer_norm_row(const Bench& bench) {
  time_rows(bench, "layer_norm", [](const Tensor& x) { layer_norm(x); });
}

void attention_train(const Bench& bench) {
  Generator g(0);
  constexpr std::int64_t kHeads = 8, kTokens = 2048, kWidth = 64;
  const Shape shape{1, kHeads, kTokens, kWidth};
  const auto input = [&] { return Variable(to(random_normal(shape, g), bench.device()), true); };
  Variable q = input(), k = input(), v = input();
  Work work;
  // Two products forward; five backward, one of which is the forward's first again.
  work.flops = 7 * 2.0 * kHeads * kTokens * kTokens * kWidth;
  bench.time(
      "attention_train", "fused", work,
      [&] {
        for (Variable* p : {&q, &k, &v}) p->zero_grad();
        sum(attention(q, k, v)).backward();
      },
      10);
}

}  // namespace

std::vector<Workload> op_workloads() {
  return {
      {"softmax", "4096 x 1024, forward", softmax_row},
      {"layer_norm", "4096 x 1024, forward", layer_norm_row},
      {"gelu", "4096 x 1024, forward", gelu_row},
      {"add", "4096 x 1024, forward", add_row},
      {"attention_train", "attention over 1 x 8 x 2048 x 64, forward and backward",
       attention_train},
  };
}

}  // namespace athanor::cli::bench
