#include "tensor/ops/optimizer.h"

#include "tensor/backend/device.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/operand.h"

namespace athanor {

void adamw_(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, const AdamWStep& step) {
  for (const Tensor* t : {static_cast<const Tensor*>(&p), &g, static_cast<const Tensor*>(&m),
                          static_cast<const Tensor*>(&v)}) {
    check_defined("adamw_", "each tensor", *t);
    check_same_device("adamw_", p, *t);
    if (!(t->shape() == p.shape()) || t->dtype() != p.dtype()) {
      fail("adamw_", "expected four tensors like ", describe(p), ", got ", describe(*t));
    }
  }
  if (!p.is_dense() || !(p.strides() == m.strides()) || !(p.strides() == v.strides())) {
    fail("adamw_", "expected dense p, m and v with the same strides");
  }
  if (p.device().type != DeviceType::cpu &&
      backend_of("adamw_", p.device()).capturing(p.device().index)) {
    fail("adamw_",
         "expected to run outside of a captured step: a replay would use this step's "
         "rate and corrections");
  }
  if (p.numel() > 0) {
    Tensor gradient = g;
    if (!(g.strides() == p.strides())) {
      gradient = empty_like(p);
      copy_(gradient, g);
    }
    launch("adamw_", &Kernels::adamw, p.dtype(), p.device(),
           AdamWArgs{p.raw(), gradient.raw(), m.raw(), v.raw(), p.numel(), p.dtype(), step.rate,
                     step.beta1, step.beta2, step.epsilon, step.weight_decay, step.correction1,
                     step.correction2});
  }
  p.bump_version("adamw_");
}

}  // namespace athanor
