#include "autograd/ops.h"
#include "tests/ops/op_case.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

namespace athanor::test {
namespace {

using Vars = std::vector<Variable>;

OpCase attention_case(std::string name, const Shape& q, const Shape& kv,
                      const AttentionOptions& options = {}) {
  return {std::move(name), {{q}, {kv}, {kv}}, [options](const Vars& x) {
            return attention(x[0], x[1], x[2], options);
          }};
}

AttentionOptions with_lengths(std::initializer_list<std::int64_t> lengths, bool causal = false) {
  AttentionOptions options;
  options.causal = causal;
  options.key_lengths = from_values<std::int64_t>(lengths, {static_cast<int>(lengths.size())});
  return options;
}

TEST_CASE("attention: values and gradients") {
  check_op_case(attention_case("attention", {2, 2, 3, 4}, {2, 2, 5, 4}));
  check_op_case(attention_case("attention/causal", {1, 2, 4, 3}, {1, 2, 4, 3}, {.causal = true}));
  check_op_case(attention_case("attention/causal cache", {1, 1, 2, 3}, {1, 1, 5, 3},
                               {.causal = true, .scale = 0.7}));
  check_op_case(attention_case("attention/causal, first queries see nothing", {1, 1, 5, 2},
                               {1, 1, 3, 2}, {.causal = true}));
  check_op_case(attention_case("attention/grouped", {1, 4, 3, 2}, {1, 2, 3, 2}));
  check_op_case(
      attention_case("attention/lengths", {3, 1, 2, 2}, {3, 1, 4, 2}, with_lengths({4, 2, 0})));
}

TEST_CASE("attention with a mask, constant and learned") {
  OpCase constant{"attention/mask",
                  {{{2, 2, 3, 2}}, {{2, 1, 4, 2}}, {{2, 1, 4, 2}}, {{2, 1, 3, 4}}},
                  [](const Vars& x) { return attention(x[0], x[1], x[2], {}, x[3].detach()); }};
  constant.inputs[3].differentiable = false;
  check_op_case(constant);
  check_op_case(
      {"attention/learned mask",
       {{{2, 2, 3, 2}}, {{2, 2, 4, 2}}, {{2, 2, 4, 2}}, {{2, 3, 4}}},
       [](const Vars& x) { return attention(x[0], x[1], x[2], {.causal = true}, x[3]); }});
}

// Several tiles of queries and of keys with remainders, head sizes off the vector width, several
// chunks of keys in backward and of queries in forward.
TEST_CASE("attention at sizes of several tiles") {
  const auto large = [](OpCase c) {
    c.numeric = false;
    c.low_precision = true;
    check_op_case(c);
  };
  large(attention_case("attention/tiles", {1, 2, 101, 24}, {1, 2, 205, 24}));
  large(attention_case("attention/tiles causal", {2, 2, 149, 17}, {2, 1, 149, 17},
                       with_lengths({149, 100}, true)));
  large(attention_case("attention/chunks", {1, 1, 503, 16}, {1, 1, 601, 16}, {.causal = true}));
}

TEST_CASE("attention at known values") {
  const double inf = std::numeric_limits<double>::infinity();
  // Equal scores give the mean; a hidden key does not count; a query that sees nothing gives 0.
  const Tensor q = zeros({1, 1, 2, 1}), k = ones({1, 1, 3, 1});
  const Tensor v = from_values<float>({3, 6, 12}, {1, 1, 3, 1});
  CHECK(attention(q, k, v).to_vector<float>() == std::vector<float>{7, 7});
  CHECK(attention(q, k, v, {.causal = true}).to_vector<float>() == std::vector<float>{4.5f, 7});
  const float hide = static_cast<float>(-inf);
  const Tensor mask = from_values<float>({0, hide, 0, hide, hide, hide}, {2, 3});
  CHECK(attention(q, k, v, {}, mask).to_vector<float>() == std::vector<float>{7.5f, 0});
  CHECK(attention_with_lse(q, k, v, {}, mask).lse.to_vector<float>()[1] == hide);
  // Scores of 1e4 overflow exp, not the softmax.
  const Tensor large = from_values<float>({1e4f, 1e4f, -1e4f}, {1, 1, 3, 1});
  CHECK(attention(ones({1, 1, 2, 1}), large, v).to_vector<float>()[0] == 4.5f);
}

TEST_CASE("a query that sees nothing has no gradient, with and without a graph") {
  const float hide = -std::numeric_limits<float>::infinity();
  const Tensor mask = from_values<float>({0, 0, hide, hide}, {2, 2});
  for (bool graph : {false, true}) {
    const Variable q(ones({1, 1, 2, 1}), true), k(ones({1, 1, 2, 1}), true),
        v(from_values<float>({1, 5}, {1, 1, 2, 1}), true);
    const auto g = grad({sum(attention(q, k, v, {}, mask))}, {q, k, v}, graph);
    CHECK(g[0].tensor().to_vector<float>() == std::vector<float>{0, 0});
    CHECK(g[1].tensor().to_vector<float>() == std::vector<float>{-1, 1});
    CHECK(g[2].tensor().to_vector<float>() == std::vector<float>{0.5f, 0.5f});
  }
}

TEST_CASE("attention's result joins its heads without a copy") {
  const Tensor y = attention(ones({2, 3, 4, 5}), ones({2, 3, 4, 5}), ones({2, 3, 4, 5}));
  CHECK(transpose(y, 1, 2).is_contiguous());
}

TEST_CASE("attention names what does not fit") {
  const Tensor q = ones({2, 4, 3, 5});
  CHECK_THROWS_WITH(attention(ones({2, 3}), q, q),
                    Catch::Contains("[attention] expected q [B, H, Lq, D], got [2, 3]"));
  CHECK_THROWS_WITH(attention(q, ones({2, 4, 3, 6}), q), Catch::Contains("expected k [2, Hkv"));
  CHECK_THROWS_WITH(attention(q, ones({2, 4, 7, 5}), q), Catch::Contains("of one shape"));
  CHECK_THROWS_WITH(attention(q, ones({2, 3, 3, 5}), ones({2, 3, 3, 5})),
                    Catch::Contains("heads to be a multiple"));
  CHECK_THROWS_WITH(attention(q, q, q, {}, ones({2, 2})), Catch::Contains("[attention]"));
  CHECK_THROWS_WITH(attention(q, q, q, with_lengths({1})), Catch::Contains("key_lengths [2]"));
  CHECK_THROWS_WITH(attention(q, q, q, with_lengths({1, 4})), Catch::Contains("got 4 at position"));
  CHECK_THROWS_WITH(attention(arange(3), q, q), Catch::Contains("a floating dtype"));
}

}  // namespace
}  // namespace athanor::test
