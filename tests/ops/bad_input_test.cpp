// What every family of operations refuses. An error names the operation, says what was expected and
// what came; nothing is computed from what does not fit.
#include <catch2/catch.hpp>
#include <limits>

#include "autograd/node.h"
#include "autograd/ops.h"
#include "tensor/random.h"

namespace athanor::test {
namespace {

using Call = std::function<void()>;

struct Refusal {
  const char* op;
  const char* what;  // a part of the message: the argument or the condition
  Call call;
};

void check(const std::vector<Refusal>& refusals) {
  for (const Refusal& r : refusals) {
    INFO(r.op << ": " << r.what);
    std::string text;
    try {
      r.call();
    } catch (const Error& error) {
      text = error.what();
    }
    INFO("message: " << text);
    CHECK(text.starts_with(str("[", r.op, "] ")));
    CHECK_THAT(text, Catch::Contains("expected"));
    CHECK_THAT(text, Catch::Contains("got"));
    CHECK_THAT(text, Catch::Contains(r.what));
  }
}

// Memory of the host under another device's name.
Tensor elsewhere(const Shape& shape, DType dtype = DType::f32) {
  return empty(shape, dtype, {DeviceType::cpu, 1});
}

const Tensor& matrix() {
  static const Tensor x = ones({2, 3});
  return x;
}
const Tensor& image() {
  static const Tensor x = ones({1, 2, 4, 4});
  return x;
}
const Tensor& numbers() {
  static const Tensor x = arange(6);
  return x;
}

}  // namespace

TEST_CASE("wrong shapes are refused") {
  const Tensor &x = matrix(), vector = ones({4}), index = arange(2);
  const Segments segments(arange(3), 3);
  const SparsePattern pattern(arange(2), arange(2), 2, 2);
  check({
      {"add", "[2, 3] and [4]", [&] { add(x, vector); }},
      {"less", "[2, 3] and [4]", [&] { less(x, vector); }},
      {"lerp", "broadcast", [&] { lerp(x, x, vector); }},
      {"where", "broadcast", [&] { where(ones({4}, DType::boolean), x, x); }},
      {"masked_fill", "[2, 3]", [&] { masked_fill(x, ones({4}, DType::boolean), 0); }},
      {"matmul", "[2, 3]", [&] { matmul(x, x); }},
      {"linear", "[2, 3]",
       [&] {
         linear(x, ones({5, 4}));
       }},
      {"einsum", "size",
       [&] {
         einsum("ij,jk->ik", std::vector<Tensor>{x, x});
       }},
      {"reshape", "6 elements",
       [&] {
         reshape(x, {4, 2});
       }},
      {"expand", "[4, 3]",
       [&] {
         expand(x, {4, 3});
       }},
      {"permute", "2 axes", [&] { permute(x, {0}); }},
      {"squeeze", "size 1", [&] { squeeze(x, 0); }},
      {"split", "add up to 2",
       [&] {
         split(x, {1, 2});
       }},
      {"as_strided", "within",
       [&] {
         as_strided(x, {3, 3}, {3, 1});
       }},
      {"sum_to", "broadcasts", [&] { sum_to(x, {4}); }},
      {"cat", "agree",
       [&] {
         cat(std::vector<Tensor>{x, vector});
       }},
      {"stack", "equal shapes",
       [&] {
         stack(std::vector<Tensor>{x, vector});
       }},
      {"pad", "2",
       [&] {
         pad(x, {{1, 1}});
       }},
      {"index_select", "index [m]",
       [&] {
         index_select(x, 0, zeros({1, 1}, DType::i64));
       }},
      {"index_add", "index [2]", [&] { index_add(x, 0, zeros({3}, DType::i64), 4); }},
      {"take_along_axis", "[2, 3]",
       [&] {
         take_along_axis(x, zeros({3, 1}, DType::i64), 1);
       }},
      {"scatter_add", "[2, 3]",
       [&] {
         scatter_add(x, zeros({2, 2}, DType::i64), 1, 4);
       }},
      {"embedding", "[V, D]", [&] { embedding(vector, index); }},
      {"segment_sum", "3", [&] { segment_sum(x, segments); }},
      {"sparse_matmul", "2",
       [&] {
         sparse_matmul(pattern, ones({2}), ones({5, 1}));
       }},
      {"conv2d", "[N, C, H, W]",
       [&] {
         conv2d(x, ones({1, 2, 3, 3}));
       }},
      {"conv1d", "[N, C, L]",
       [&] {
         conv1d(x, ones({1, 2, 3}));
       }},
      {"conv_transpose2d", "[N, I, H, W]",
       [&] {
         conv_transpose2d(x, ones({1, 2, 3, 3}));
       }},
      {"max_pool2d", "[N, C, H, W]", [&] { max_pool2d(x); }},
      {"adaptive_avg_pool2d", "[N, C, H, W]", [&] { adaptive_avg_pool2d(x, 1); }},
      {"upsample_nearest2d", "[N, C, H, W]", [&] { upsample_nearest2d(x, 2); }},
      {"group_norm", "dividing", [&] { group_norm(image(), 3); }},
      {"cross_entropy", "[B, K]", [&] { cross_entropy(vector, index); }},
      {"cross_entropy", "targets", [&] { cross_entropy(x, arange(3)); }},
      {"soft_cross_entropy", "[B, K]", [&] { soft_cross_entropy(x, vector); }},
      {"nll", "[B, K]", [&] { nll(vector, index); }},
      {"kl_div", "[..., K]", [&] { kl_div(x, vector); }},
      {"mse_loss", "broadcast", [&] { mse_loss(x, vector); }},
      {"cosine_embedding_loss", "[B, D]", [&] { cosine_embedding_loss(x, vector, index); }},
  });
}

TEST_CASE("wrong dtypes are refused") {
  const Tensor &x = matrix(), &i = numbers(), wide = ones({2, 3}, DType::f64);
  const Tensor mask = ones({2, 3}, DType::boolean);
  check({
      {"exp", "i64", [&] { exp(i); }},
      {"neg", "bool", [&] { neg(mask); }},
      {"div", "i64", [&] { div(i, i); }},
      {"add", "bool", [&] { add(mask, mask); }},
      {"mean", "i64", [&] { mean(i); }},
      {"amax", "bool", [&] { amax(mask); }},
      {"softmax", "i64", [&] { softmax(i); }},
      {"logsumexp", "i64", [&] { logsumexp(i); }},
      {"sort", "bool", [&] { sort(mask); }},
      {"matmul", "i64", [&] { matmul(i, i); }},
      {"matmul", "f64", [&] { matmul(x, wide); }},
      {"where", "bool", [&] { where(x, x, x); }},
      {"masked_fill", "bool", [&] { masked_fill(x, x, 0); }},
      {"cat", "one dtype",
       [&] {
         cat(std::vector<Tensor>{x, wide});
       }},
      {"index_select", "i64", [&] { index_select(x, 0, x); }},
      {"take_along_axis", "i64", [&] { take_along_axis(x, x, 0); }},
      {"one_hot", "i64", [&] { one_hot(x, 3); }},
      {"conv2d", "f32",
       [&] {
         conv2d(image(), ones({1, 2, 3, 3}, DType::f64));
       }},
      {"max_pool2d", "i64", [&] { max_pool2d(cast(image(), DType::i64)); }},
      {"cross_entropy", "i64", [&] { cross_entropy(x, ones({2})); }},
      {"mse_loss", "one dtype", [&] { mse_loss(x, wide); }},
      {"mse_loss", "i64", [&] { mse_loss(i, i); }},
      {"var", "i64", [&] { var(i); }},
      {"group_norm", "i64", [&] { group_norm(cast(image(), DType::i64), 1); }},
      {"add_", "f64",
       [&] {
         Tensor y = clone(x);
         add_(y, wide);
       }},
      {"full", "i64", [&] { full({2}, 0.5, DType::i64); }},
      {"linspace", "i64", [&] { linspace(0, 1, 3, DType::i64); }},
      {"random_uniform", "i64",
       [&] {
         Generator g(1);
         random_uniform({2}, g, 0, 1, DType::i64);
       }},
      {"variable", "i64", [&] { Variable(i, true); }},
  });
}

TEST_CASE("wrong axes and indices are refused") {
  const Tensor& x = matrix();
  check({
      {"sum", "[-2, 2), got 2", [&] { sum(x, {2}); }},
      {"sum", "twice",
       [&] {
         sum(x, {0, -2});
       }},
      {"amax", "got -3", [&] { amax(x, {-3}); }},
      {"softmax", "got 2", [&] { softmax(x, 2); }},
      {"log_softmax", "got 2", [&] { log_softmax(x, 2); }},
      {"cumsum", "got 5", [&] { cumsum(x, 5); }},
      {"sort", "got 2", [&] { sort(x, 2); }},
      {"argmax", "got 2", [&] { argmax(x, 2); }},
      {"topk", "got 4", [&] { topk(x, 4); }},
      {"transpose", "got 2", [&] { transpose(x, 0, 2); }},
      {"permute", "twice",
       [&] {
         permute(x, {0, 0});
       }},
      {"slice", "got 2", [&] { slice(x, 2, 0, 1); }},
      {"slice", "step > 0", [&] { slice(x, 0, 0, 1, -1); }},
      {"select", "got 2", [&] { select(x, 0, 2); }},
      {"unsqueeze", "got 3", [&] { unsqueeze(x, 3); }},
      {"cat", "got 2",
       [&] {
         cat(std::vector<Tensor>{x, x}, 2);
       }},
      {"flip", "got 2", [&] { flip(x, {2}); }},
      {"roll", "got 2", [&] { roll(x, 1, 2); }},
      {"index_select", "[0, 3), got 3", [&] { index_select(x, 1, full({1}, 3, DType::i64)); }},
      {"index_select", "got -1", [&] { index_select(x, 1, full({1}, -1, DType::i64)); }},
      {"cross_entropy", "[0, 3)", [&] { cross_entropy(x, full({2}, 3, DType::i64)); }},
      {"segments", "[0, 1)", [&] { Segments(arange(2), 1); }},
      {"one_hot", "[0, 1)", [&] { one_hot(arange(2), 1); }},
      {"size", "got 2", [&] { x.size(2); }},
  });
}

TEST_CASE("negative and overflowing sizes, and too many axes, are refused") {
  constexpr std::int64_t big = std::numeric_limits<std::int64_t>::max() / 2;
  const Tensor &x = matrix(), deep = ones(Dims::filled(8, 1));
  Generator g(1);
  check({
      {"full", "[-1]", [&] { zeros({-1}); }},
      {"full", "2^63",
       [&] {
         zeros({big, 4});
       }},
      {"full", "2^63",
       [&] {
         zeros({0, big, 4});
       }},
      {"empty", "2^63 bytes", [&] { empty({big}); }},
      {"arange", "count >= 0", [&] { arange(-1); }},
      {"linspace", "count >= 0", [&] { linspace(0, 1, -1); }},
      {"eye", "sizes >= 0", [&] { eye(-2); }},
      {"eye", "2^63", [&] { eye(big, big); }},
      {"random_normal", "[2, -3]",
       [&] {
         random_normal({2, -3}, g);
       }},
      {"random_uniform", "2^63",
       [&] {
         random_uniform({big, 4}, g);
       }},
      {"random_bernoulli", "[-1]", [&] { random_bernoulli({-1}, g, 0.5); }},
      {"random_permutation", "n >= 0", [&] { random_permutation(-1, g); }},
      {"reshape", "-1",
       [&] {
         reshape(x, {-1, -1});
       }},
      {"reshape", "-2",
       [&] {
         reshape(x, {-2, 3});
       }},
      {"reshape", "2^63",
       [&] {
         reshape(x, {big, 4, -1});
       }},
      {"expand", "2^63",
       [&] {
         expand(ones({1}), {big, 4, 1});
       }},
      {"chunk", "count >= 1", [&] { chunk(x, 0); }},
      {"pad", "-1",
       [&] {
         pad(x, {{-1, 0}, {0, 0}});
       }},
      {"index_add", "n >= 0", [&] { index_add(x, 0, arange(2), -1); }},
      {"scatter_add", "n >= 0", [&] { scatter_add(arange(1), zeros({1}, DType::i64), 0, -1); }},
      {"one_hot", "classes >= 1", [&] { one_hot(arange(1), 0); }},
      {"segments", "count >= 0", [&] { Segments(arange(0), -1); }},
      {"adaptive_max_pool2d", "(0, 1)",
       [&] {
         adaptive_max_pool2d(image(), {0, 1});
       }},
      {"upsample_bilinear2d", "(-2, -2)", [&] { upsample_bilinear2d(image(), -2); }},
      {"unsqueeze", "rank < 8", [&] { unsqueeze(deep, 0); }},
      {"stack", "rank < 8",
       [&] {
         stack(std::vector<Tensor>{deep, deep});
       }},
      {"one_hot", "rank < 8", [&] { one_hot(cast(deep, DType::i64), 2); }},
      {"embedding", "rank < 8", [&] { embedding(x, cast(deep, DType::i64)); }},
      {"shape", "rank <= 8", [&] { Shape::filled(9, 1); }},
      {"set_memory_limit", "bytes >= 0", [&] { set_memory_limit(-1); }},
  });
}

// Each OpCase tries this with each of its inputs; here the messages are looked at.
TEST_CASE("tensors on two devices are refused") {
  const Tensor& x = matrix();
  const Tensor other = elsewhere({2, 3});
  check({
      {"add", "one device", [&] { add(x, other); }},
      {"matmul", "one device", [&] { matmul(x, transpose(other)); }},
      {"where", "one device",
       [&] {
         where(elsewhere({2, 3}, DType::boolean), x, x);
       }},
      {"cat", "one device",
       [&] {
         cat(std::vector<Tensor>{x, other});
       }},
      {"index_select", "one device", [&] { index_select(other, 0, arange(1)); }},
      {"conv2d", "one device",
       [&] {
         conv2d(image(), elsewhere({1, 2, 3, 3}));
       }},
      {"cross_entropy", "one device", [&] { cross_entropy(other, arange(2)); }},
      {"mse_loss", "one device", [&] { mse_loss(x, other); }},
  });
}

TEST_CASE("what gradients refuse") {
  const Variable x(matrix(), true);
  check({
      {"backward", "requires a gradient", [&] { Variable(matrix()).backward(); }},
      {"backward", "[3]", [&] { exp(x).backward(Variable(ones({3}))); }},
      {"grad", "require a gradient", [&] { grad({sum(x)}, {Variable(ones({2}))}); }},
      {"variable", "floating dtype", [&] { Variable(ones({2}, DType::boolean), true); }},
  });
  CHECK_THROWS_WITH(grad({sum(x)}, {Variable(ones({2}), true)}),
                    Catch::Contains("[grad] no output depends on input 0 ([2] f32"));
  CHECK_THROWS_WITH(exp(x).backward(),
                    Catch::Contains("[backward] expected a gradient for an output with 6"));
  // Backward twice, a saved tensor that is stale, an operation without a gradient, a cast to an
  // integer: each names the operation.
  const Variable y = sum(exp(x));
  y.backward();
  CHECK_THROWS_WITH(y.backward(), Catch::Contains("exp") && Catch::Contains("retain_graph"));
  const Variable a(ones({2}), true), b(ones({2}), true);
  const Variable product = a * b;
  Tensor written = b.tensor();
  fill_(written, 3);
  CHECK_THROWS_WITH(sum(product).backward(), Catch::Contains("mul") && Catch::Contains("fill_") &&
                                                 Catch::Contains("version 1, expected 0"));
  const Variable stuck = record_without_gradient("argsort_values", neg(x.tensor()), {x});
  CHECK_THROWS_WITH(sum(stuck).backward(),
                    Catch::Contains("argsort_values has no gradient") && Catch::Contains("[2, 3]"));
}

}  // namespace athanor::test
