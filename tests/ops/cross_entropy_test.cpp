#include <catch2/catch.hpp>
#include <cmath>

#include "autograd/ops.h"
#include "tests/ops/op_case.h"

using namespace athanor;
using athanor::test::beside;
using athanor::test::check_op_case;
using athanor::test::OpCase;
using Vars = std::vector<Variable>;

namespace {

Tensor classes(std::int64_t B, std::int64_t K) {
  std::vector<std::int64_t> values;
  for (std::int64_t b = 0; b < B; ++b) values.push_back(b * 7 % K);
  return from_values(values, {B});
}

}  // namespace

TEST_CASE("classification losses: values and gradients") {
  const Tensor t = classes(4, 5);
  check_op_case({"cross_entropy", {{{4, 5}}}, [=](const Vars& x) {
                   return cross_entropy(x[0], beside(x[0], t));
                 }});
  check_op_case({"cross_entropy/weights", {{{4, 5}}, {{4}, 0, 2}}, [=](const Vars& x) {
                   return cross_entropy(x[0], beside(x[0], t), x[1]);
                 }});
  check_op_case({"cross_entropy/smoothing", {{{4, 5}}}, [=](const Vars& x) {
                   return cross_entropy(x[0], beside(x[0], t), {}, 0.1);
                 }});
  check_op_case({"cross_entropy_by_row", {{{4, 5}}}, [=](const Vars& x) {
                   return cross_entropy_by_row(x[0], beside(x[0], t));
                 }});
  check_op_case({"soft_cross_entropy", {{{4, 5}}, {{4, 5}, 0, 1}}, [](const Vars& x) {
                   return soft_cross_entropy(x[0], x[1]);
                 }});
  check_op_case({"gce", {{{4, 5}}, {{4}, 0, 2}}, [=](const Vars& x) {
                   return gce(x[0], beside(x[0], t), 0.7, x[1]);
                 }});
}

TEST_CASE("cross_entropy with class weights and ignored rows: values and gradients") {
  const Tensor t = from_values<std::int64_t>({2, -100, 0, 4}, {4});
  const Tensor w = from_values<double>({0.5, 1, 2, 0, 1.5}, {5});
  for (double smoothing : {0.0, 0.2}) {
    check_op_case({"cross_entropy/ignore", {{{4, 5}}}, [=](const Vars& x) {
                     return cross_entropy(x[0], beside(x[0], t), {smoothing, -100, {}});
                   }});
    check_op_case({"cross_entropy/class weights", {{{4, 5}}}, [=](const Vars& x) {
                     const Tensor weights = cast(beside(x[0], w), x[0].dtype());
                     return cross_entropy(x[0], beside(x[0], t), {smoothing, -100, weights});
                   }});
  }
  // By hand: rows 0 and 3 count with weights 2 and 1.5.
  Generator generator(5);
  const Tensor x = random_uniform({4, 5}, generator, -1, 1, DType::f64);
  const auto p = log_softmax(x).to_vector<double>();
  const double expected = -(2 * p[2] + 0.5 * p[10] + 1.5 * p[19]) / 4;
  CHECK(cross_entropy(x, t, {0, -100, w}).item() == Approx(expected).epsilon(1e-14));
  // An ignored row gets no gradient, and does not change the others'.
  const Variable leaf(x, true);
  cross_entropy(leaf, t, CrossEntropyOptions{.ignore_class = -100}).backward();
  const Tensor gradient = leaf.grad().tensor();
  CHECK(slice(gradient, 0, 1, 2).to_vector<double>() == std::vector<double>(5, 0));
  const Tensor kept = from_values<std::int64_t>({0, 2, 3}, {3});
  const Variable few(index_select(x, 0, kept), true);
  cross_entropy(few, index_select(t, 0, kept)).backward();
  const auto left = index_select(gradient, 0, kept).to_vector<double>(),
             right = few.grad().tensor().to_vector<double>();
  for (std::size_t i = 0; i < left.size(); ++i) CHECK(left[i] == Approx(right[i]).epsilon(1e-13));

  CHECK_THROWS_WITH(cross_entropy(x, full({4}, -100, DType::i64), {0, -100, {}}),
                    Catch::Contains("[cross_entropy] expected at least one row that counts"));
  CHECK_THROWS_WITH(cross_entropy(x, t, {0, -1, {}}), Catch::Contains("got -100 at row 1"));
  CHECK_THROWS_WITH(cross_entropy(x, t, {0, -100, ones({5})}),
                    Catch::Contains("expected class weights [5] of the logits' dtype"));
}

TEST_CASE("nll is cross_entropy of log-probabilities") {
  const Tensor t = classes(4, 5);
  check_op_case({"nll", {{{4, 5}}, {{4}, 0, 2}}, [=](const Vars& x) {
                   return nll(log_softmax(x[0]), beside(x[0], t), x[1]);
                 }});
  CHECK_THROWS_WITH(nll(zeros({2}), t), Catch::Contains("[nll] expected log-probabilities"));
}

TEST_CASE("cross_entropy of many wide rows") {
  const Tensor t = classes(67, 701);
  OpCase wide{"cross_entropy/wide", {{{67, 701}}}, [=](const Vars& x) {
                return cross_entropy(x[0], beside(x[0], t), {}, 0.2);
              }};
  wide.numeric = false;
  check_op_case(wide);
}

TEST_CASE("classification losses at known values") {
  const Tensor t = from_values<std::int64_t>({1, 0}, {2});
  // Equal logits: log K. Exact to a few ULP of f64.
  const Tensor equal_logits = zeros({2, 8}, DType::f64);
  CHECK(cross_entropy(equal_logits, t).item() == Approx(std::log(8.0)).epsilon(1e-14));
  CHECK(cross_entropy(equal_logits, t, {}, 0.3).item() == Approx(std::log(8.0)).epsilon(1e-14));
  CHECK(gce(equal_logits, t, 1.0).item() == Approx(1 - 1.0 / 8).epsilon(1e-14));
  // q -> 0 is the cross-entropy; the next term is q CE^2 / 2.
  CHECK(gce(equal_logits, t, 1e-6).item() == Approx(std::log(8.0)).epsilon(1e-5));
  // Far apart logits: the loss is their difference, and 0 where the target wins.
  const Tensor far = from_values<float>({1e4f, -1e4f, 1e4f, -1e4f}, {2, 2});
  CHECK(cross_entropy_rows(far, t).loss.to_vector<float>() == std::vector<float>{2e4f, 0});
  CHECK(cross_entropy(far, t, from_values<float>({0.5f, 1}, {2})).item() == 5e3);
}

TEST_CASE("classification losses refuse bad targets, shapes and settings") {
  const Tensor x = zeros({2, 3});
  const auto targets = [](std::int64_t a, std::int64_t b) {
    return from_values<std::int64_t>({a, b}, {2});
  };
  CHECK_THROWS_WITH(cross_entropy(x, targets(0, 3)),
                    Catch::Contains("expected targets in [0, 3), got 3 at row 1"));
  CHECK_THROWS_WITH(cross_entropy(x, targets(-1, 0)), Catch::Contains("got -1 at row 0"));
  CHECK_THROWS_WITH(cross_entropy(x, zeros({2})), Catch::Contains("dtype i64"));
  CHECK_THROWS_WITH(cross_entropy(x, arange(3)), Catch::Contains("expected targets [2]"));
  CHECK_THROWS_WITH(cross_entropy(x, targets(0, 1), {}, 1.0), Catch::Contains("label_smoothing"));
  CHECK_THROWS_WITH(cross_entropy(x, targets(0, 1), zeros({3})), Catch::Contains("weights"));
  CHECK_THROWS_WITH(cross_entropy(zeros({0, 3}), arange(0)), Catch::Contains("at least one row"));
  CHECK_THROWS_WITH(gce(x, targets(0, 1), 0.0), Catch::Contains("expected q in (0, 1]"));
}
