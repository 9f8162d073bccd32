// Memory of attention: linear in the number of tokens on the fused operation. The table of
// docs/models.md:  transformer_test "[memory]" -s
#include <catch2/catch.hpp>
#include <cstdio>

#include "autograd/ops.h"
#include "nn/transformer.h"

using namespace athanor;
using namespace athanor::nn;

namespace {

// Peak bytes beyond weights and input of `f`.
template <class F>
double peak_of(F&& f) {
  reset_peak_memory();
  const std::int64_t before = memory_stats().live;
  f();
  return static_cast<double>(memory_stats().peak - before);
}

TransformerOptions encoder(bool fused) {
  TransformerOptions o;  // the size of MiniLM's layers
  o.attention.width = 384;
  o.attention.heads = 12;
  o.attention.fused = fused;
  o.feed_forward = 1536;
  o.activation = Activation::gelu;
  return o;
}

double inference_peak(bool fused, std::int64_t tokens) {
  Generator g(1);
  TransformerStack stack(encoder(fused), 2, g);
  stack.eval();
  const Variable x(random_normal({1, tokens, 384}, g));
  const InferenceMode inference;
  return peak_of([&] { stack.forward(x); });
}

double training_peak(std::int64_t tokens) {
  Generator g(2);
  MultiHeadOptions o;
  o.width = 32;
  o.heads = 1;
  MultiHeadAttention layer(o, g);
  const Variable x(random_normal({1, tokens, 32}, g));
  return peak_of([&] { sum(layer.forward(x)).backward(); });
}

}  // namespace

TEST_CASE("attention's memory grows linearly with the tokens", "[memory]") {
  std::vector<double> per_token;
  for (const std::int64_t tokens : {512, 1024, 2048, 4096, 8192}) {
    const double peak = training_peak(tokens);
    per_token.push_back(peak / static_cast<double>(tokens));
    INFO(tokens << " tokens, forward and backward: " << peak / 1024 << " KiB");
    CHECK(peak < 100e6);
  }
  // 16 times the tokens: the plain form would need 16 times the bytes a token.
  CHECK(per_token.back() < 1.1 * per_token.front());
}

TEST_CASE("an encoder of 1,024 tokens needs at least 42% less than with the plain form",
          "[memory]") {
  const double fused = inference_peak(true, 1024), plain = inference_peak(false, 1024);
  INFO("fused " << fused / 1048576 << " MiB, plain " << plain / 1048576 << " MiB");
  CHECK(fused <= 0.58 * plain);
}
