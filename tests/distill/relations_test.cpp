#include "distill/restructure/relations.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "distill/losses/relation.h"
#include "tensor/base/error.h"
#include "tensor/random.h"

using namespace athanor;
using namespace athanor::distill;

TEST_CASE("AUC and average precision by hand", "[relations]") {
  const LinkScore score = link_score({3, 1}, {2, 0});
  CHECK(score.auc == Approx(0.75));                // 3 of the 4 pairs are in order
  CHECK(score.ap == Approx(0.5 * (1 + 2.0 / 3)));  // precision at the two hits
  CHECK(link_score({1, 1}, {1}).auc == Approx(0.5));
  CHECK(link_score({2}, {1}).ap == 1);
  CHECK_THROWS_AS(link_score({}, {1}), Error);
}

// Four groups told apart by two of eight coordinates; a cosine cannot know which two. Everybody in
// a group is connected to everybody.
TEST_CASE("attention learns which part of the code matters", "[relations]") {
  Generator generator(6);
  const std::int64_t n = 120, m = 8;
  Tensor codes = random_normal({n, m}, generator);
  std::vector<GraphEdge> edges;
  for (std::int32_t i = 0; i < n; ++i) {
    float* code = codes.data<float>() + i * m;
    code[0] = 0.2f * code[0] + (i % 2 ? 1.0f : -1.0f);
    code[1] = 0.2f * code[1] + (i / 2 % 2 ? 1.0f : -1.0f);
    for (std::int32_t j = i + 4; j < n; j += 4) edges.push_back({i, j, 1});
  }
  RelationsOptions options;
  const Relations relations = fit_relations(codes, edges, options);
  const RelationsReport& report = relations.report();
  CHECK(report.edges == static_cast<std::int64_t>(edges.size()));
  CHECK(report.attention.auc > report.cosine.auc + 0.1);
  CHECK(report.attention.auc > report.inner_product.auc + 0.1);
  CHECK(report.attention.ap > report.cosine.ap + 0.1);

  const Tensor a = relations.attention({5, 7, 5});
  const std::vector<float> v = a.to_vector<float>();
  CHECK(v[0] == 1);
  CHECK(v[1] == v[3]);
  CHECK(v[1] == v[7]);  // row 2 is row 0 again
  for (float value : v) CHECK((value > 0 && value <= 1));
  CHECK(fit_relations(codes, edges, options).attention({1, 2}).to_vector<float>() ==
        relations.attention({1, 2}).to_vector<float>());
  CHECK_THROWS_AS(fit_relations(codes, {}, options), Error);
  CHECK_THROWS_AS(relations.attention({n}), Error);
}

TEST_CASE("relation losses: values by hand, zero at equality", "[relation_loss]") {
  const Tensor f = from_values<float>({1, 0, 3, 0, 0, 2}, {3, 2});
  CHECK(cosine_similarities(f).to_vector<float>() == std::vector<float>{1, 1, 0, 1, 1, 0, 0, 0, 1});
  // Against the identity two of nine entries are off by one. f32 rounding: 1e-6.
  const Tensor identity = from_values<float>({1, 0, 0, 0, 1, 0, 0, 0, 1}, {3, 3});
  CHECK(cosine_relation_loss(f, identity).item() == Approx(2.0 / 9).margin(1e-6));
  CHECK(cosine_relation_loss(f, cosine_similarities(f)).item() == Approx(0).margin(1e-12));
  // Rows of f f^T: (1, 3, 0), (3, 9, 0), (0, 0, 4); scaled: (1, 3, 0) / sqrt 10 twice, (0, 0, 1).
  const double low = 1 / std::sqrt(10.0), high = 3 / std::sqrt(10.0);
  CHECK(similarity_preserving_loss(f, identity).item() ==
        Approx(((1 - low) * (1 - low) + high * high + low * low + (1 - high) * (1 - high)) / 9)
            .margin(1e-6));
  CHECK(similarity_preserving_loss(f, row_normalised_gram(f)).item() == Approx(0).margin(1e-12));
  CHECK(probability_mse(from_values<float>({0.5f, 0.5f, 1, 0}, {2, 2}),
                        from_values<float>({1, 0, 1, 0}, {2, 2}))
            .item() == Approx(0.125));
  CHECK_THROWS_AS(cosine_relation_loss(f, zeros({2, 2})), Error);
  CHECK_THROWS_AS(probability_mse(f, zeros({2, 2})), Error);
}

TEST_CASE("relation losses: gradients, also of dead rows", "[relation_loss]") {
  Generator generator(8);
  const Tensor f = random_normal({5, 4}, generator, 0, 1, DType::f64);
  const Tensor r = random_uniform({5, 5}, generator, 0, 1, DType::f64);
  const auto check = [&](auto loss) {
    const GradcheckResult result =
        gradcheck([&](const std::vector<Variable>& in) { return loss(in[0], r); }, {f});
    INFO(result.message);
    CHECK(result.ok);
  };
  check(cosine_relation_loss);
  check(similarity_preserving_loss);
  const Tensor t = random_uniform({5, 4}, generator, 0, 1, DType::f64);
  CHECK(gradcheck([&](const std::vector<Variable>& in) { return probability_mse(in[0], t); }, {f})
            .ok);
  const Variable dead(zeros({3, 2}), true);
  cosine_relation_loss(dead, ones({3, 3})).backward();
  for (float g : dead.grad().tensor().to_vector<float>()) CHECK(std::isfinite(g));
}
