#include "distill/refine/leading_directions.h"

#include <algorithm>
#include <vector>

#include "distill/refine/cholesky.h"
#include "tensor/base/error.h"
#include "tensor/ops.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/matmul.h"
#include "tensor/ops/shape.h"
#include "tensor/random.h"

namespace athanor::distill {
Tensor leading_directions(const Tensor& x, std::int64_t k, std::uint64_t seed, int steps) {
  if (x.rank() != 2 || x.dtype() != DType::f32 || x.size(0) < 1 || x.size(1) < 1 || k < 1) {
    fail("leading_directions", "expected x [n, d] f32 and k >= 1, got ", describe(x), " and ", k);
  }
  const std::int64_t n = x.size(0), d = x.size(1), m = std::min({k, n, d});
  Tensor centred = cast(contiguous(x), DType::f64);
  const std::vector<double> middle = mean(centred, {0}).to_vector<double>();
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < d; ++j) centred.data<double>()[i * d + j] -= middle[j];
  }
  if (m == d) return contiguous(cast(centred, DType::f32));
  const Tensor scatter = gram(centred);
  Generator random(seed, 12);
  Tensor q = empty({d, m}, DType::f64);
  for (std::int64_t i = 0; i < q.numel(); ++i) q.data<double>()[i] = random.next_normal();
  for (int i = 0; i < steps; ++i) q = orthonormal_columns(matmul(scatter, q));
  return contiguous(cast(matmul(centred, q), DType::f32));
}

}  // namespace athanor::distill
