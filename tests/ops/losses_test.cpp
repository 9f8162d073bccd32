#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "tests/ops/op_case.h"

using namespace athanor;
using athanor::test::beside;
using athanor::test::check_op_case;
using athanor::test::OpCase;
using Vars = std::vector<Variable>;

namespace {

const std::vector<athanor::test::CaseInput> kPair{{{3, 4}}, {{4}}};

}  // namespace

TEST_CASE("losses of values: values and gradients") {
  for (Reduction r : {Reduction::none, Reduction::sum, Reduction::mean}) {
    check_op_case({"mse_loss", kPair, [=](const Vars& x) { return mse_loss(x[0], x[1], r); }});
    check_op_case({"l1_loss", kPair, [=](const Vars& x) { return l1_loss(x[0], x[1], r); }});
    check_op_case(
        {"huber_loss", kPair, [=](const Vars& x) { return huber_loss(x[0], x[1], 0.7, r); }});
    check_op_case({"smooth_l1_loss", kPair,
                   [=](const Vars& x) { return smooth_l1_loss(x[0], x[1], 0.7, r); }});
  }
  OpCase edges{"mse_loss/edges", kPair,
               [](const Vars& x) { return mse_loss(x[0], x[1], Reduction::none); }};
  edges.edges = {{{0, 4}, {4}}, {{}, {}}};
  check_op_case(edges);
}

TEST_CASE("losses of probabilities: values and gradients") {
  const std::vector<athanor::test::CaseInput> inputs{{{3, 4}, -4, 4}, {{3, 4}, 0, 1}};
  for (Reduction r : {Reduction::none, Reduction::sum, Reduction::mean}) {
    check_op_case(
        {"bce_with_logits", inputs, [=](const Vars& x) { return bce_with_logits(x[0], x[1], r); }});
    check_op_case({"kl_div", {{{3, 4}}, {{3, 4}, 0.05, 1}}, [=](const Vars& x) {
                     return kl_div(log_softmax(x[0]), x[1], r);
                   }});
  }
  check_op_case({"bce_with_logits/positive weight",
                 {{{3, 4}}, {{3, 4}, 0, 1}, {{4}, 0.5, 2}},
                 [](const Vars& x) { return bce_with_logits(x[0], x[1], Reduction::mean, x[2]); }});
}

TEST_CASE("losses of directions: values and gradients") {
  for (int axis : {0, 1, -1}) {
    check_op_case({"cosine_similarity", {{{3, 4, 2}}, {{3, 4, 2}}}, [=](const Vars& x) {
                     return cosine_similarity(x[0], x[1], axis);
                   }});
  }
  const Tensor labels = from_values<std::int64_t>({1, -1, 1, -1}, {4});
  check_op_case({"cosine_embedding_loss", {{{4, 5}}, {{4, 5}}}, [=](const Vars& x) {
                   return cosine_embedding_loss(x[0], x[1], beside(x[0], labels), -0.3);
                 }});
}

TEST_CASE("losses at known and hard values") {
  const Tensor zero = scalar(0, DType::f64);
  const auto at = [](double v) { return scalar(v, DType::f64); };
  CHECK(huber_loss(at(0.5), zero).item() == 0.125);
  CHECK(huber_loss(at(-3), zero).item() == 2.5);
  CHECK(huber_loss(at(3), zero, 2).item() == 4);
  CHECK(smooth_l1_loss(at(3), zero, 2).item() == 2);
  CHECK(mse_loss(from_values<float>({1, 3}, {2}), scalar(0)).item() == 5);
  // Far logits: exact, no overflow, no log of 0.
  CHECK(bce_with_logits(at(1000), at(0)).item() == 1000);
  CHECK(bce_with_logits(at(1000), at(1)).item() == 0);
  CHECK(bce_with_logits(at(-1000), at(1)).item() == 1000);
  CHECK(bce_with_logits(at(0), at(0.3)).item() == Approx(std::log(2.0)).epsilon(1e-15));
  CHECK(bce_with_logits(at(-2), at(1), Reduction::mean, at(3)).item() ==
        Approx(3 * std::log1p(std::exp(2.0))).epsilon(1e-14));
  // q = 0 adds nothing, for the value and for the gradients.
  const Variable log_p(log(from_values<double>({0.25, 0.75}, {1, 2})), true);
  const Variable q(from_values<double>({0, 1}, {1, 2}), true);
  const Variable kl = kl_div(log_p, q);
  CHECK(kl.item() == Approx(-std::log(0.75)).epsilon(1e-14));
  kl.backward();
  CHECK(log_p.grad().tensor().to_vector<double>() == std::vector<double>{0, -1});
  CHECK(std::isfinite(q.grad().tensor().to_vector<double>()[0]));
  // Equal, opposite and zero vectors.
  const Tensor a = from_values<double>({3, 4, 3, 4, 0, 0}, {3, 2});
  const Tensor b = from_values<double>({6, 8, -3, -4, 1, 1}, {3, 2});
  CHECK(cosine_similarity(a, b).tensor().to_vector<double>() == std::vector<double>{1, -1, 0});
  const Variable still(a, true);
  sum(cosine_similarity(still, b)).backward();
  for (double g : still.grad().tensor().to_vector<double>()) CHECK(std::isfinite(g));
  const Tensor labels = from_values<std::int64_t>({-1, 1, -1}, {3});
  CHECK(cosine_embedding_loss(a, b, labels, 0.5, Reduction::none).tensor().to_vector<double>() ==
        std::vector<double>{0.5, 2, 0});
}

TEST_CASE("losses refuse shapes, dtypes and settings, naming the op") {
  const Tensor x = zeros({2, 3});
  CHECK_THROWS_WITH(mse_loss(x, zeros({2})), Catch::Contains("[mse_loss]"));
  CHECK_THROWS_WITH(mse_loss(x, arange(3)),
                    Catch::Contains("[mse_loss] expected a floating dtype"));
  CHECK_THROWS_WITH(mse_loss(x, zeros({3}, DType::f64)), Catch::Contains("inputs of one dtype"));
  CHECK_THROWS_WITH(mse_loss(zeros({0}), zeros({0})), Catch::Contains("at least one element"));
  CHECK(mse_loss(zeros({0}), zeros({0}), Reduction::sum).item() == 0);
  CHECK_THROWS_WITH(huber_loss(x, x, 0), Catch::Contains("[huber_loss] expected delta > 0, got 0"));
  CHECK_THROWS_WITH(smooth_l1_loss(x, x, -1),
                    Catch::Contains("[smooth_l1_loss] expected beta > 0"));
  CHECK_THROWS_WITH(bce_with_logits(x, Variable()), Catch::Contains("an undefined one"));
  CHECK_THROWS_WITH(kl_div(x, zeros({3})),
                    Catch::Contains("[kl_div] expected two inputs [..., K]"));
  CHECK_THROWS_WITH(cosine_similarity(x, x, 0, 0), Catch::Contains("epsilon > 0"));
  CHECK_THROWS_WITH(cosine_embedding_loss(x, x, arange(2)), Catch::Contains("labels 1 and -1"));
  CHECK_THROWS_WITH(cosine_embedding_loss(x, x, arange(3)), Catch::Contains("labels [B]"));
}
