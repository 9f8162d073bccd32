#include "tensor/ops/optimizer.h"

#include <vector>

#include "tensor/backend/device.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/operand.h"

namespace athanor {
namespace {

void check(const AdamWParameter& a) {
  for (const Tensor* t : {&a.p, &a.g, &a.m, &a.v}) {
    check_defined("adamw_", "each tensor", *t);
    check_same_device("adamw_", a.p, *t);
    if (!(t->shape() == a.p.shape()) || t->dtype() != a.p.dtype()) {
      fail("adamw_", "expected four tensors like ", describe(a.p), ", got ", describe(*t));
    }
  }
  if (!a.p.is_dense() || !(a.p.strides() == a.m.strides()) || !(a.p.strides() == a.v.strides())) {
    fail("adamw_", "expected dense p, m and v with the same strides");
  }
  if (a.p.device().type != DeviceType::cpu &&
      backend_of("adamw_", a.p.device()).capturing(a.p.device().index)) {
    fail("adamw_",
         "expected to run outside of a captured step: a replay would use this step's "
         "rate and corrections");
  }
}

}  // namespace

void adamw_(std::span<AdamWParameter> parameters, const AdamWRule& rule) {
  for (const AdamWParameter& a : parameters) check(a);
  thread_local std::vector<AdamWTensor> batch;  // kept for the next step
  batch.clear();
  const auto start = [&](DType dtype, Device device) {
    launch("adamw_", &Kernels::adamw, dtype, device,
           AdamWArgs{batch.data(), static_cast<std::int64_t>(batch.size()), dtype, rule.beta1,
                     rule.beta2, rule.epsilon, rule.correction1, rule.correction2});
    batch.clear();
  };
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    AdamWParameter& a = parameters[i];
    if (a.p.numel() > 0) {
      if (!(a.g.strides() == a.p.strides())) {
        Tensor gradient = empty_like(a.p);
        copy_(gradient, a.g);
        a.g = gradient;
      }
      batch.push_back(
          {a.p.raw(), a.g.raw(), a.m.raw(), a.v.raw(), a.p.numel(), a.rate, a.weight_decay});
    }
    const bool last = i + 1 == parameters.size() || parameters[i + 1].p.dtype() != a.p.dtype() ||
                      !(parameters[i + 1].p.device() == a.p.device());
    if (last && !batch.empty()) start(a.p.dtype(), a.p.device());
    a.p.bump_version("adamw_");
  }
}

}  // namespace athanor
