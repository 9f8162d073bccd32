#include "distill/refine/tridiagonal.h"

#include <cmath>

#include "tensor/base/avx2_clones.h"
#include "tensor/base/error.h"
#include "tensor/ops.h"
#include "tensor/ops/copy.h"

namespace athanor::distill {
namespace {

constexpr std::int64_t kLanes = 8;  // sums side by side: their order is fixed

inline double total(const double* sum) {
  return ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
}

// a [n, n] is shifted by -(v w' + w v') in rows [first, n) and columns [from, n); product[i] = row
// i times `next`, both from column `from` on.
ATHANOR_AVX2_CLONES
void shift_and_multiply(double* a, std::int64_t n, std::int64_t first, std::int64_t from,
                        const double* v, const double* w, const double* next, double* product) {
  for (std::int64_t i = first; i < n; ++i) {
    double* row = a + i * n;
    const double vi = v[i], wi = w[i];
    double sum[kLanes] = {};
    std::int64_t j = from;
    for (; j + kLanes <= n; j += kLanes) {
      double value[kLanes];
      for (std::int64_t l = 0; l < kLanes; ++l) {
        value[l] = row[j + l] - (vi * w[j + l] + wi * v[j + l]);
      }
      for (std::int64_t l = 0; l < kLanes; ++l) sum[l] += value[l] * next[j + l];
      for (std::int64_t l = 0; l < kLanes; ++l) row[j + l] = value[l];
    }
    for (; j < n; ++j) {
      row[j] -= vi * w[j] + wi * v[j];
      sum[0] += row[j] * next[j];
    }
    product[i] = total(sum);
  }
}

// to += factor * x in [first, n).
ATHANOR_AVX2_CLONES
void add_times(double* to, double factor, const double* x, std::int64_t first, std::int64_t n) {
  std::int64_t j = first;
  for (; j + kLanes <= n; j += kLanes) {
    double value[kLanes];
    for (std::int64_t l = 0; l < kLanes; ++l) value[l] = to[j + l] + factor * x[j + l];
    for (std::int64_t l = 0; l < kLanes; ++l) to[j + l] = value[l];
  }
  for (; j < n; ++j) to[j] += factor * x[j];
}

// q <- (I - scale v v') q in rows and columns [first, n).
void reflect(double* q, std::int64_t n, std::int64_t first, const double* v, double scale,
             double* sums) {
  for (std::int64_t j = first; j < n; ++j) sums[j] = 0;
  for (std::int64_t i = first; i < n; ++i) add_times(sums, v[i], q + i * n, first, n);
  for (std::int64_t i = first; i < n; ++i) add_times(q + i * n, -scale * v[i], sums, first, n);
}

// I - scale v v' takes row[from, n) to (beside, 0, ...).
struct Reflector {
  double scale = 0, beside = 0;
};
Reflector reflector_of(const double* row, std::int64_t n, std::int64_t from, double* v) {
  double rest = 0;
  for (std::int64_t j = 0; j < n; ++j) v[j] = j < from ? 0 : row[j];
  for (std::int64_t j = from + 1; j < n; ++j) rest += v[j] * v[j];
  if (!(rest > 0)) {
    for (std::int64_t j = from; j < n; ++j) v[j] = 0;
    return {0, row[from]};
  }
  const double beside = -std::copysign(std::sqrt(v[from] * v[from] + rest), v[from]);
  v[from] -= beside;
  return {2 / (v[from] * v[from] + rest), beside};
}

}  // namespace

Tridiagonal tridiagonalise(const Tensor& matrix) {
  if (matrix.rank() != 2 || matrix.size(0) != matrix.size(1) || matrix.size(0) < 1 ||
      matrix.dtype() != DType::f64) {
    fail("tridiagonalise", "expected f64 [n, n], got ", describe(matrix));
  }
  const std::int64_t n = matrix.size(0), steps = n - 2;
  const auto size = static_cast<std::size_t>(n);
  Tensor work = clone(contiguous(matrix));
  double* a = work.data<double>();
  Tridiagonal t{zeros({n, n}, DType::f64), std::vector<double>(size),
                std::vector<double>(size - 1)};
  // Row k: the vector of step k; step k + 1's product with a is formed while step k shifts a.
  std::vector<double> vectors(size * size), scales(size), product(size), w(size);
  const std::vector<double> none(size);
  const auto vector_of = [&](std::int64_t k) { return vectors.data() + k * n; };
  for (std::int64_t k = 0; k < steps; ++k) {
    double* v = vector_of(k);
    const Reflector r = reflector_of(a + k * n, n, k + 1, v);
    scales[k] = r.scale;
    t.beside[k] = r.beside;
    // Of the step before, in the rows that are left; row k has had it.
    const double* before = k > 0 ? vector_of(k - 1) : none.data();
    shift_and_multiply(a, n, k + 1, k + 1, before, w.data(), v, product.data());
    double along = 0;
    for (std::int64_t i = k + 1; i < n; ++i) along += product[i] * v[i];
    along *= r.scale * r.scale / 2;
    for (std::int64_t i = 0; i < n; ++i) w[i] = i > k ? r.scale * product[i] - along * v[i] : 0;
    double* row = a + (k + 1) * n;
    for (std::int64_t j = k + 1; j < n; ++j) row[j] -= v[k + 1] * w[j] + w[k + 1] * v[j];
  }
  if (steps >= 0) {
    // The last row is one step behind.
    double* row = a + (n - 1) * n;
    if (steps > 0) {
      const double* v = vector_of(steps - 1);
      for (std::int64_t j = n - 2; j < n; ++j) row[j] -= v[n - 1] * w[j] + w[n - 1] * v[j];
    }
    t.beside[n - 2] = row[n - 2];
  }
  for (std::int64_t i = 0; i < n; ++i) t.diagonal[i] = a[i * n + i];
  double* q = t.q.data<double>();
  for (std::int64_t i = 0; i < n; ++i) q[i * n + i] = 1;
  for (std::int64_t k = steps; k-- > 0;) {
    if (scales[k] > 0) reflect(q, n, k + 1, vector_of(k), scales[k], w.data());
  }
  return t;
}

}  // namespace athanor::distill
