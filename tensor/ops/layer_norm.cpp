#include "tensor/ops/layer_norm.h"

#include "tensor/ops/operand.h"

namespace athanor {
namespace {

void check_row_input(const char* op, const Tensor& x) {
  check_dtype(op, "x", x, kRealDTypes, "a floating dtype");
  if (x.rank() < 1) fail(op, "expected x [..., n], got ", describe(x));
}

// Row-major, or undefined.
Tensor checked_row_weight(const char* op, const char* argument, const Tensor& w, const Tensor& x) {
  if (!w.defined()) return w;
  check_same_device(op, w, x);
  if (!(w.shape() == Shape{x.size(-1)}) || w.dtype() != x.dtype()) {
    fail(op, "expected ", argument, " [", x.size(-1), "] ", x.dtype(), ", got ", describe(w),
         " (x ", describe(x), ")");
  }
  return contiguous(w);
}

void check_same_kind(const char* op, const char* argument, const Tensor& t, const Tensor& x) {
  check_defined(op, argument, t);
  check_same_device(op, t, x);
  if (!(t.shape() == x.shape()) || t.dtype() != x.dtype()) {
    fail(op, "expected ", argument, " like x ", describe(x), ", got ", describe(t));
  }
}

Shape row_shape(const Shape& shape) {
  Shape lead = shape;
  lead.erase(shape.size() - 1);
  return lead;
}

Operand operand_or_none(const Tensor& t) { return t.defined() ? operand(t) : Operand{}; }

RowNormOp row_norm_op(RowNorm kind) {
  return kind == RowNorm::layer ? RowNormOp::layer_norm : RowNormOp::rms_norm;
}

}  // namespace

RowNormResult row_norm(const char* op, RowNorm kind, const Tensor& x, const Tensor& residual,
                       const Tensor& gamma, const Tensor& beta, double epsilon) {
  check_row_input(op, x);
  if (!(epsilon >= 0)) fail(op, "expected epsilon >= 0, got ", epsilon);
  const Tensor scale = checked_row_weight(op, "gamma", gamma, x);
  const Tensor shift = checked_row_weight(op, "beta", beta, x);
  const Tensor from = contiguous(x);
  Tensor other;
  RowNormResult result;
  result.y = empty(x.shape(), x.dtype(), x.device());
  if (residual.defined()) {
    check_same_kind(op, "residual", residual, x);
    other = contiguous(residual);
    result.sum = empty(x.shape(), x.dtype(), x.device());
  }
  const DType statistics = compute_dtype(x.dtype());
  result.mean = empty(row_shape(x.shape()), statistics, x.device());
  result.rstd = empty_like(result.mean);
  if (x.numel() == 0) {
    fill_(result.mean, 0);
    fill_(result.rstd, 0);
    return result;
  }
  launch(op, &Kernels::row_norm, x.dtype(), x.device(),
         RowNormArgs{row_norm_op(kind), epsilon, operand(from), operand_or_none(other),
                     operand_or_none(scale), operand_or_none(shift), operand(result.y),
                     operand_or_none(result.sum), operand(result.mean), operand(result.rstd)});
  return result;
}

RowNormGradients row_norm_backward(RowNorm kind, const Tensor& dy, const Tensor& x,
                                   const Tensor& gamma, const Tensor& mean, const Tensor& rstd,
                                   const Tensor& dsum) {
  constexpr const char* op = "row_norm_backward";
  check_row_input(op, x);
  check_same_kind(op, "dy", dy, x);
  if (dsum.defined()) check_same_kind(op, "dsum", dsum, x);
  const Tensor scale = checked_row_weight(op, "gamma", gamma, x);
  for (const Tensor* t : {&mean, &rstd}) {
    check_defined(op, "mean and rstd", *t);
    if (!(t->shape() == row_shape(x.shape())) || t->dtype() != compute_dtype(x.dtype())) {
      fail(op, "expected mean and rstd by row of x ", describe(x), ", got ", describe(*t));
    }
  }
  const Shape weight{x.size(-1)};
  RowNormGradients g{empty(x.shape(), x.dtype(), x.device()), empty(weight, x.dtype(), x.device()),
                     empty(weight, x.dtype(), x.device())};
  if (x.numel() == 0) {
    fill_(g.dgamma, 0);
    fill_(g.dbeta, 0);
    return g;
  }
  const Tensor from = contiguous(x), gradient = contiguous(dy), centre = contiguous(mean),
               spread = contiguous(rstd);
  const Tensor added = dsum.defined() ? contiguous(dsum) : Tensor();
  launch(
      op, &Kernels::row_norm_backward, x.dtype(), x.device(),
      RowNormBackwardArgs{row_norm_op(kind), operand(from), operand_or_none(scale), operand(centre),
                          operand(spread), operand(gradient), operand_or_none(added), operand(g.dx),
                          operand(g.dgamma), operand(g.dbeta)});
  return g;
}

Tensor layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, double epsilon) {
  return row_norm("layer_norm", RowNorm::layer, x, {}, gamma, beta, epsilon).y;
}

Tensor rms_norm(const Tensor& x, const Tensor& gamma, double epsilon) {
  return row_norm("rms_norm", RowNorm::rms, x, {}, gamma, {}, epsilon).y;
}

AddNormResult add_layer_norm(const Tensor& x, const Tensor& residual, const Tensor& gamma,
                             const Tensor& beta, double epsilon) {
  check_defined("add_layer_norm", "residual", residual);
  const RowNormResult r =
      row_norm("add_layer_norm", RowNorm::layer, x, residual, gamma, beta, epsilon);
  return {r.y, r.sum};
}

AddNormResult add_rms_norm(const Tensor& x, const Tensor& residual, const Tensor& gamma,
                           double epsilon) {
  check_defined("add_rms_norm", "residual", residual);
  const RowNormResult r = row_norm("add_rms_norm", RowNorm::rms, x, residual, gamma, {}, epsilon);
  return {r.y, r.sum};
}

}  // namespace athanor
