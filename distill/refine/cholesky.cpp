#include "distill/refine/cholesky.h"

#include <algorithm>
#include <cmath>

#include "tensor/base/error.h"
#include "tensor/ops.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/matmul.h"
#include "tensor/ops/shape.h"

namespace athanor::distill {
namespace {

std::int64_t check_square(const char* op, const Tensor& a) {
  if (a.rank() != 2 || a.size(0) != a.size(1) || a.size(0) < 1 || a.dtype() != DType::f64) {
    fail(op, "expected f64 [n, n], got ", describe(a));
  }
  return a.size(0);
}

// Four sums side by side: the order of the additions is fixed, and they do not wait for each other.
double dot(const double* a, const double* b, std::int64_t n) {
  double sum[4] = {};
  std::int64_t i = 0;
  for (; i + 4 <= n; i += 4) {
    for (int s = 0; s < 4; ++s) sum[s] += a[i + s] * b[i + s];
  }
  for (; i < n; ++i) sum[0] += a[i] * b[i];
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

}  // namespace

Tensor cholesky(const Tensor& a, double ridge) {
  const std::int64_t n = check_square("cholesky", a);
  const Tensor source = contiguous(a);
  const double* from = source.data<double>();
  double trace = 0;
  for (std::int64_t i = 0; i < n; ++i) trace += from[i * n + i];
  const double mean = std::max(trace / static_cast<double>(n), 1e-300);
  Tensor lower = zeros({n, n}, DType::f64);
  double* l = lower.data<double>();
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < i; ++j) {
      l[i * n + j] = (from[i * n + j] - dot(l + i * n, l + j * n, j)) / l[j * n + j];
    }
    const double pivot = from[i * n + i] + ridge * mean - dot(l + i * n, l + i * n, i);
    l[i * n + i] = std::sqrt(std::max(pivot, 1e-14 * mean));
  }
  return lower;
}

Tensor inverse_lower(const Tensor& lower) {
  const std::int64_t n = check_square("inverse_lower", lower);
  const Tensor source = contiguous(lower);
  const double* l = source.data<double>();
  Tensor inverse = zeros({n, n}, DType::f64);
  double* x = inverse.data<double>();
  for (std::int64_t i = 0; i < n; ++i) {
    double* row = x + i * n;
    row[i] = 1;
    for (std::int64_t k = 0; k < i; ++k) {
      const double factor = l[i * n + k];
      const double* above = x + k * n;
      for (std::int64_t j = 0; j <= k; ++j) row[j] -= factor * above[j];
    }
    for (std::int64_t j = 0; j <= i; ++j) row[j] /= l[i * n + i];
  }
  return inverse;
}

Tensor gram(const Tensor& y) {
  constexpr std::int64_t kBlock = 128;
  if (y.rank() != 2 || y.dtype() != DType::f64) {
    fail("gram", "expected f64 [rows, n], got ", describe(y));
  }
  const std::int64_t n = y.size(1);
  const Tensor turned = transpose(y);
  Tensor out = empty({n, n}, DType::f64);
  double* to = out.data<double>();
  for (std::int64_t begin = 0; begin < n; begin += kBlock) {
    const std::int64_t end = std::min(begin + kBlock, n);
    const Tensor block =
        contiguous(matmul(slice(turned, 0, begin, end), slice(y, 1, 0, end)));  // [., end]
    const double* from = block.data<double>();
    for (std::int64_t i = begin; i < end; ++i, from += end) {
      std::copy(from, from + i + 1, to + i * n);
      for (std::int64_t j = 0; j < i; ++j) to[j * n + i] = from[j];
    }
  }
  return out;
}

Tensor orthonormal_columns(const Tensor& y) {
  return matmul(y, transpose(inverse_lower(cholesky(gram(y), 1e-12))));
}

}  // namespace athanor::distill
