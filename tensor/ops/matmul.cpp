#include "tensor/ops/matmul.h"

#include "tensor/ops/binary.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/operand.h"
#include "tensor/ops/shape.h"

namespace athanor {
namespace {

Shape leading(const Shape& shape) {
  Shape lead;
  for (int i = 0; i + 2 < shape.size(); ++i) lead.push_back(shape[i]);
  return lead;
}

Shape with_matrix(Shape lead, std::int64_t rows, std::int64_t columns) {
  lead.push_back(rows);
  lead.push_back(columns);
  return lead;
}

// Kernels read matrices whose rows or columns are contiguous; anything else is copied.
Tensor readable(const Tensor& x) {
  const auto fits = [](std::int64_t unit, std::int64_t size, std::int64_t other_stride,
                       std::int64_t other_size) {
    return (unit == 1 || size == 1) && (other_stride >= size || other_size == 1);
  };
  const std::int64_t rows = x.size(-2), columns = x.size(-1);
  const std::int64_t row_stride = x.strides()[x.rank() - 2], column_stride = x.strides().back();
  const bool ok = fits(column_stride, columns, row_stride, rows) ||
                  fits(row_stride, rows, column_stride, columns);
  return ok ? x : contiguous(x);
}

// a b + bias [N]; an undefined bias adds nothing.
Tensor matrix_product(const char* op, const Tensor& a, const Tensor& b, const Tensor& bias) {
  check_dtype(op, "a", a, kRealDTypes, "a floating dtype");
  check_dtype(op, "b", b, kRealDTypes, "a floating dtype");
  check_same_device(op, a, b);
  if (a.dtype() != b.dtype() || a.rank() == 0 || b.rank() == 0) {
    fail(op, "expected two tensors of one dtype and rank >= 1, got ", describe(a), " and ",
         describe(b));
  }
  const Tensor x = a.rank() == 1 ? unsqueeze(a, 0) : a;
  const Tensor y = b.rank() == 1 ? unsqueeze(b, 1) : b;
  const std::int64_t M = x.size(-2), K = x.size(-1), N = y.size(-1);
  if (y.size(-2) != K) {
    fail(op, "expected inner sizes to agree, got ", describe(a), " and ", describe(b));
  }
  const Shape lead = broadcast_shape(op, leading(x.shape()), leading(y.shape()));
  Tensor z = empty(with_matrix(lead, M, N), a.dtype(), a.device());
  if (z.numel() > 0 && K == 0) {
    fill_(z, 0);
    if (bias.defined()) add_(z, bias);
  } else if (z.numel() > 0) {
    Tensor wide_x = readable(x), wide_y = readable(y), wide_z = z;
    // One y for all matrices of x: one product, in which y is read once.
    if (y.rank() == 2 && x.rank() > 2 && wide_x.is_contiguous()) {
      wide_x = reshape(wide_x, {-1, K});
      wide_z = reshape(z, {-1, N});
    } else {
      wide_x = expand(wide_x, with_matrix(lead, M, K));
      wide_y = expand(wide_y, with_matrix(lead, K, N));
    }
    const Tensor added = bias.defined() ? contiguous(bias) : bias;
    launch(op, &Kernels::matmul, a.dtype(), a.device(),
           MatmulArgs{operand(wide_x), operand(wide_y), operand(wide_z),
                      added.defined() ? operand(added) : Operand{}});
  }
  if (b.rank() == 1) z = squeeze(z, -1);
  if (a.rank() == 1) z = squeeze(z, b.rank() == 1 ? -1 : -2);
  return z;
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) { return matrix_product("matmul", a, b, {}); }

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias) {
  check_defined("linear", "x", x);
  check_defined("linear", "w", w);
  if (w.rank() != 2 || x.rank() < 1 || x.size(-1) != w.size(1)) {
    fail("linear", "expected x [..., I] and w [O, I], got ", describe(x), " and ", describe(w));
  }
  if (bias.defined() && !(bias.shape() == Shape{w.size(0)})) {
    fail("linear", "expected bias [", w.size(0), "], got ", describe(bias));
  }
  if (bias.defined() && (bias.dtype() != x.dtype() || !(bias.device() == x.device()))) {
    fail("linear", "expected a bias like x ", describe(x), ", got ", describe(bias));
  }
  return matrix_product("linear", x, transpose(w), bias);
}

}  // namespace athanor
