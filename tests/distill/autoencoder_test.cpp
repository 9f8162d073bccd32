#include "distill/restructure/autoencoder.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "tensor/base/error.h"
#include "tensor/ops.h"
#include "tensor/ops/matmul.h"
#include "tensor/random.h"

using namespace athanor;
using namespace athanor::distill;

namespace {

// 2-d positions wound into 16 dimensions by sines: two numbers describe a unit, no plane does.
Tensor curved(std::int64_t n, std::uint64_t seed) {
  Generator generator(seed);
  const Tensor position = random_uniform({n, 2}, generator, -1.5, 1.5);
  const Tensor mixing = random_normal({2, 16}, generator);
  const Tensor phase = random_uniform({16}, generator, 0, 6);
  return sin(matmul(position, mixing) + phase) + random_normal({n, 16}, generator, 0, 0.02);
}

}  // namespace

TEST_CASE("eigenvalues and vectors of symmetric matrices", "[pca]") {
  const Eigen two = symmetric_eigen({2, 1, 1, 2}, 2);
  CHECK(two.values[0] == Approx(3));
  CHECK(two.values[1] == Approx(1));
  CHECK(two.vectors[0] == Approx(std::sqrt(0.5)));
  CHECK(two.vectors[1] == Approx(std::sqrt(0.5)));

  Generator generator(1);
  const std::int64_t d = 40;
  const Tensor half = random_normal({d, d}, generator, 0, 1, DType::f64);
  const Tensor a = half + transpose(half);
  const Eigen eigen = symmetric_eigen(contiguous(a).to_vector<double>(), d);
  const Tensor v = from_values(eigen.vectors, {d, d});
  const Tensor scaled = transpose(v) * from_values(eigen.values, {d});
  // V diag V^T = A, to double rounding over 40 terms and some sweeps.
  CHECK(amax(abs(matmul(scaled, v) - a)).item() < 1e-10);
  for (std::size_t i = 1; i < eigen.values.size(); ++i) {
    CHECK(eigen.values[i - 1] >= eigen.values[i]);
  }
  CHECK_THROWS_AS(symmetric_eigen({1, 2, 3}, 2), Error);
}

TEST_CASE("PCA rebuilds what lies in a plane", "[pca]") {
  Generator generator(2);
  const Tensor x =
      add(matmul(random_normal({200, 3}, generator), random_normal({3, 12}, generator)), 5.0);
  const Pca pca = fit_pca(x, 3);
  CHECK(pca.variances[3] < 1e-8 * pca.variances[0]);
  // Values of order 10 in f32.
  CHECK(amax(abs(unproject(pca, project(pca, x)) - x)).item() < 1e-4);
  CHECK_THROWS_AS(fit_pca(x, 13), Error);
}

TEST_CASE("the autoencoder beats PCA on held-out curved data", "[autoencoder]") {
  const Tensor x = curved(1500, 3);
  const Autoencoder model = fit_autoencoder(x);
  const AutoencoderReport& report = model.report();
  CHECK(report.code_width == 2);
  CHECK(report.bytes_before == 8 * report.bytes_after);
  CHECK(report.fvu < 0.7 * report.pca_fvu);
  CHECK(report.recall > 0);
  CHECK(model.encode(x).shape() == Shape{1500, 2});
  CHECK(model.decode(model.encode(x)).shape() == x.shape());
  const Autoencoder again = fit_autoencoder(x);
  CHECK(again.report().fvu == report.fvu);
  CHECK(again.encode(x).to_vector<float>() == model.encode(x).to_vector<float>());
}

TEST_CASE("where nothing is to be gained the autoencoder is not worse than PCA", "[autoencoder]") {
  Generator generator(4);
  const Tensor x = random_normal({400, 16}, generator);  // no structure: training can only overfit
  const AutoencoderReport report = fit_autoencoder(x).report();
  // Early stopping looks at 40 other units; their noise is a few percent.
  CHECK(report.fvu < 1.03 * report.pca_fvu);
  CHECK_THROWS_AS(fit_autoencoder(zeros({10, 4})), Error);
  CHECK(std::isfinite(fit_autoencoder(zeros({40, 8})).report().fvu));
}
