#include "distill/restructure/pca.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tensor/ops.h"
#include "tensor/ops/matmul.h"

namespace athanor::distill {
namespace {

// Turns rows p and q of `matrix` by the angle (c, s).
void rotate_rows(std::vector<double>& matrix, std::size_t d, std::size_t p, std::size_t q, double c,
                 double s) {
  double *a = matrix.data() + p * d, *b = matrix.data() + q * d;
  for (std::size_t j = 0; j < d; ++j) {
    const double x = a[j], y = b[j];
    a[j] = c * x - s * y;
    b[j] = s * x + c * y;
  }
}

void rotate_columns(std::vector<double>& matrix, std::size_t d, std::size_t p, std::size_t q,
                    double c, double s) {
  for (std::size_t i = 0; i < d; ++i) {
    double &a = matrix[i * d + p], &b = matrix[i * d + q];
    const double x = a, y = b;
    a = c * x - s * y;
    b = s * x + c * y;
  }
}

// One rotation that makes entry (p, q) zero.
void annihilate(std::vector<double>& a, std::vector<double>& vectors, std::size_t d, std::size_t p,
                std::size_t q) {
  const double theta = (a[q * d + q] - a[p * d + p]) / (2 * a[p * d + q]);
  const double t = (theta >= 0 ? 1 : -1) / (std::abs(theta) + std::hypot(theta, 1.0));
  const double c = 1 / std::hypot(t, 1.0), s = t * c;
  rotate_columns(a, d, p, q, c, s);
  rotate_rows(a, d, p, q, c, s);
  rotate_rows(vectors, d, p, q, c, s);
}

}  // namespace

Eigen symmetric_eigen(std::vector<double> a, std::int64_t size) {
  const auto d = static_cast<std::size_t>(size);
  if (a.size() != d * d || d == 0) {
    fail("symmetric_eigen", "expected ", d, " x ", d, " values, got ", a.size());
  }
  std::vector<double> vectors(d * d, 0.0);
  for (std::size_t i = 0; i < d; ++i) vectors[i * d + i] = 1;
  double scale = 0;
  for (double value : a) scale += value * value;
  for (int sweep = 0; sweep < 40; ++sweep) {
    double off = 0;
    for (std::size_t p = 0; p < d; ++p) {
      for (std::size_t q = p + 1; q < d; ++q) off += a[p * d + q] * a[p * d + q];
    }
    if (off <= 1e-26 * scale) break;
    // What is far below the average of the sweep is left for the next one.
    const double small = off / static_cast<double>(d * d) * 1e-4;
    for (std::size_t p = 0; p < d; ++p) {
      for (std::size_t q = p + 1; q < d; ++q) {
        if (a[p * d + q] * a[p * d + q] > small) annihilate(a, vectors, d, p, q);
      }
    }
  }
  std::vector<std::size_t> order(d);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t x, std::size_t y) { return a[x * d + x] > a[y * d + y]; });
  Eigen out;
  for (std::size_t i : order) {
    out.values.push_back(a[i * d + i]);
    const auto row = vectors.begin() + static_cast<std::ptrdiff_t>(i * d);
    const auto end = row + static_cast<std::ptrdiff_t>(d);
    const double top =
        *std::max_element(row, end, [](double x, double y) { return std::abs(x) < std::abs(y); });
    for (auto v = row; v != end; ++v) out.vectors.push_back(top < 0 ? -*v : *v);
  }
  return out;
}

Pca fit_pca(const Tensor& x, std::int64_t m) {
  if (x.rank() != 2 || x.dtype() != DType::f32 || x.size(0) == 0) {
    fail("fit_pca", "expected x [n, d] f32, got ", describe(x));
  }
  const std::int64_t n = x.size(0), d = x.size(1);
  if (m < 1 || m > d) fail("fit_pca", "expected m in [1, ", d, "], got ", m);
  const Tensor wide = cast(contiguous(x), DType::f64);
  const Tensor mean_row = mean(wide, {0});
  const Tensor centred = wide - mean_row;
  const Tensor covariance = mul(matmul(transpose(centred), centred), 1.0 / static_cast<double>(n));
  const Eigen eigen = symmetric_eigen(covariance.to_vector<double>(), d);
  const std::vector<double> first(eigen.vectors.begin(), eigen.vectors.begin() + m * d);
  return {cast(mean_row, DType::f32), cast(from_values(first, {m, d}), DType::f32), eigen.values};
}

Tensor project(const Pca& pca, const Tensor& x) {
  return matmul(x - pca.mean, transpose(pca.components));
}

Tensor unproject(const Pca& pca, const Tensor& codes) {
  return matmul(codes, pca.components) + pca.mean;
}

}  // namespace athanor::distill
