#include "tensor/ops/conv2d_batch_norm.h"

#include "tensor/ops/copy.h"
#include "tensor/ops/layout.h"
#include "tensor/ops/operand.h"

namespace athanor {

Conv2dBatchNormGradients conv2d_batch_norm_backward(const Tensor& dy, const Tensor& x,
                                                    const Tensor& w, const Tensor& z,
                                                    const Tensor& gamma, const Tensor& beta,
                                                    const BatchNormResult& saved,
                                                    const Conv2dOptions& conv, bool relu,
                                                    bool with_dx, bool with_db) {
  constexpr const char* op = "conv2d_batch_norm_backward";
  const DTypeSet dtypes{DType::f32, DType::f64};
  check_dtype(op, "x", x, dtypes, "f32 or f64");
  for (const auto& [name, t] : {std::pair<const char*, const Tensor&>{"dy", dy},
                                {"w", w},
                                {"z", z},
                                {"gamma", gamma},
                                {"beta", beta}}) {
    check_defined(op, name, t);
    check_same_device(op, x, t);
    if (t.dtype() != x.dtype()) fail(op, "expected ", name, " of x's dtype, got ", describe(t));
  }
  if (x.device().type != DeviceType::cpu) fail(op, "expected x on the CPU, got ", describe(x));
  const Tensor& like = saved.index.defined() ? saved.index : z;
  if (!(dy.shape() == like.shape())) {
    fail(op, "expected dy of shape ", like.shape(), ", got ", describe(dy));
  }
  Conv2dBatchNormGradients d;
  if (with_dx) d.dx = empty_channels_last(x.shape(), x.dtype(), x.device());
  d.dw = empty(w.shape(), x.dtype(), x.device());
  if (with_db) d.db = empty(gamma.shape(), x.dtype(), x.device());
  d.dgamma = empty(gamma.shape(), x.dtype(), x.device());
  d.dbeta = empty(gamma.shape(), x.dtype(), x.device());
  if (z.numel() == 0) {
    for (Tensor* t : {&d.dx, &d.dw, &d.db, &d.dgamma, &d.dbeta}) {
      if (t->defined()) fill_(*t, 0);
    }
    return d;
  }
  const Tensor image = activation_layout(x), result = activation_layout(z);
  const Tensor gradient = activation_layout(dy), weight = contiguous(w);
  const Tensor scale = contiguous(gamma), shift = contiguous(beta);
  const Tensor index = saved.index.defined() ? activation_layout(saved.index) : saved.index;
  const auto optional = [](const Tensor& t) { return t.defined() ? operand(t) : Operand{}; };
  launch(op, &Kernels::conv2d_batch_norm_backward, x.dtype(), x.device(),
         Conv2dBatchNormBackwardArgs{
             optional(d.dx), operand(d.dw), optional(d.db),
             Conv2dArgs{conv.stride, conv.padding, conv.dilation, conv.groups, operand(image),
                        operand(weight), Operand{}, operand(result)},
             BatchNormBackwardArgs{operand(result), operand(saved.mean), operand(saved.rstd),
                                   operand(scale), operand(shift), operand(gradient), Operand{},
                                   operand(d.dgamma), operand(d.dbeta), relu, optional(index)}});
  return d;
}

}  // namespace athanor
