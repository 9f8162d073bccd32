// The plans of cuBLASLt calls, carried out by a plain column-major product.
#include "tensor/backend/cuda/gemm_plan.h"

#include <catch2/catch.hpp>

#include "tensor/ops.h"
#include "tensor/ops/operand.h"

namespace athanor::cuda {
namespace {

MatmulArgs args_of(const Tensor& x, const Tensor& y, const Tensor& z) {
  return {operand(x), operand(y), operand(z), {}};
}

// What cuBLASLt does: D[n, m] = op(A)[n, k] op(B)[k, m] in column-major order, A from y, B from x.
void run(const GemmPlan& p, const double* x, const double* y, double* z) {
  const auto at = [](const GemmFactor& f, std::int64_t row, std::int64_t column) {
    return f.transposed ? column + row * f.leading : row + column * f.leading;
  };
  for (const GemmPlan::Offsets& call : p.calls) {
    for (std::int64_t b = 0; b < p.batch; ++b) {
      for (std::int64_t i = 0; i < p.m; ++i) {
        for (std::int64_t j = 0; j < p.n; ++j) {
          double sum = 0;
          for (std::int64_t k = 0; k < p.k; ++k) {
            sum += y[call.y + b * p.y.batch_stride + at(p.y, j, k)] *
                   x[call.x + b * p.x.batch_stride + at(p.x, k, i)];
          }
          z[call.z + b * p.z_batch_stride + j + i * p.n] = sum;
        }
      }
    }
  }
}

GemmPlan check(const Tensor& x, const Tensor& y) {
  const Tensor expected = matmul(x, y);
  Shape lead = expected.shape();
  const auto wide = [&](const Tensor& t) {
    Shape shape = lead;
    shape[lead.size() - 2] = t.size(-2);
    shape[lead.size() - 1] = t.size(-1);
    return expand(t, shape);
  };
  const Tensor z = zeros(lead, DType::f64), wide_x = wide(x), wide_y = wide(y);
  const GemmPlan plan = plan_gemm(args_of(wide_x, wide_y, z));
  run(plan, static_cast<const double*>(x.raw()), static_cast<const double*>(y.raw()),
      static_cast<double*>(z.raw()));
  CHECK(sum(abs(sub(z, expected))).item() < 1e-12);
  return plan;
}

Tensor values(const Shape& shape) {
  Generator generator(3);
  return random_uniform(shape, generator, -1, 1, DType::f64);
}

TEST_CASE("both factors as they lie and transposed") {
  const Tensor x = values({5, 7}), y = values({7, 3});
  const Tensor xt = transpose(values({7, 5})), yt = transpose(values({3, 7}));
  CHECK_FALSE(check(x, y).x.transposed);
  CHECK(check(xt, y).x.transposed);
  CHECK(check(x, yt).y.transposed);
  check(xt, yt);
  // A part of wider rows.
  check(slice(values({5, 20}), 1, 3, 10), slice(values({7, 9}), 1, 2, 5));
}

TEST_CASE("one row, one column, one inner element") {
  for (std::int64_t m : {1, 4}) {
    for (std::int64_t n : {1, 3}) {
      for (std::int64_t k : {1, 6}) {
        check(values({m, k}), values({k, n}));
        check(transpose(values({k, m})), transpose(values({n, k})));
      }
    }
  }
}

TEST_CASE("a batch that shares the right factor becomes one product") {
  const GemmPlan plan = check(values({4, 6, 5, 7}), values({7, 3}));
  CHECK(plan.batch == 1);
  CHECK(plan.m == 4 * 6 * 5);
  CHECK(plan.calls.size() == 1);
  // Not so when the left factor is transposed.
  CHECK(check(transpose(values({4, 7, 5})), values({7, 3})).batch == 4);
}

TEST_CASE("batches of products") {
  CHECK(check(values({4, 5, 7}), values({4, 7, 3})).batch == 4);
  CHECK(check(values({2, 4, 5, 7}), values({2, 4, 7, 3})).batch == 8);
  CHECK(check(values({5, 7}), values({4, 7, 3})).x.batch_stride == 0);
  check(transpose(values({4, 7, 5})), transpose(values({4, 3, 7})));
}

TEST_CASE("leading axes that do not merge take several calls") {
  // Heads taken out of [B, T, H, D]: the batch strides of x and y differ from z's.
  const Tensor q = permute(values({2, 5, 3, 4}), {0, 2, 1, 3});
  const Tensor k = permute(values({2, 6, 3, 4}), {0, 2, 3, 1});
  const GemmPlan plan = check(q, k);
  CHECK(plan.batch * static_cast<std::int64_t>(plan.calls.size()) == 6);
  check(values({2, 1, 5, 7}), values({3, 7, 4}));
}

}  // namespace
}  // namespace athanor::cuda
