// Bridges tensors to kernel arguments; shared by the op implementations.
#pragma once

#include <initializer_list>

#include "tensor/backend/kernels.h"
#include "tensor/tensor.h"

namespace athanor {

// `t` as a kernel sees it; valid while `t` lives.
inline Operand operand(const Tensor& t) {
  return {t.raw(), t.shape().begin(), t.strides().begin(), t.rank(), t.dtype()};
}

// Throws unless `t` is defined.
inline void check_defined(const char* op, const char* argument, const Tensor& t) {
  if (!t.defined()) fail(op, "expected a defined tensor for ", argument, ", got an undefined one");
}

// Throws unless t's dtype is in `allowed`; `expected` describes the set.
inline void check_dtype(const char* op, const char* argument, const Tensor& t, DTypeSet allowed,
                        const char* expected) {
  check_defined(op, argument, t);
  if (!allowed.contains(t.dtype())) {
    fail(op, "expected ", expected, " for ", argument, ", got ", describe(t));
  }
}

// Throws unless both tensors live on one device.
inline void check_same_device(const char* op, const Tensor& a, const Tensor& b) {
  if (!(a.device() == b.device())) {
    fail(op, "expected both inputs on one device, got ", describe(a), " and ", describe(b));
  }
}

}  // namespace athanor
