// Bridges tensors to kernel arguments; shared by the op implementations.
#pragma once

#include <cmath>
#include <initializer_list>
#include <limits>
#include <type_traits>

#include "tensor/backend/kernels.h"
#include "tensor/base/compute_dtype.h"
#include "tensor/ops/copy.h"
#include "tensor/tensor.h"

namespace athanor {

// `t` as a kernel sees it; valid while `t` lives.
inline Operand operand(const Tensor& t) {
  return {t.raw(), t.shape().begin(), t.strides().begin(), t.rank(), t.dtype()};
}

// Whether an operation may write its result into `t`, which its caller gave away: nobody else sees
// the memory, and each element has a place of its own.
inline bool reusable(const Tensor& t) {
  return t.defined() && t.storage()->use_count() == 1 && t.is_dense();
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

// Throws unless `value` fits `dtype`: whole and in range for integers, 0 or 1 for bool.
inline void check_scalar(const char* op, double value, DType dtype) {
  if (is_floating(dtype)) return;
  visit(dtype, [&]<class T>(Tag<T>) {
    if constexpr (std::is_integral_v<T>) {
      // 2^63 is the first double above i64; the other ends are exact.
      const double lowest = static_cast<double>(std::numeric_limits<T>::min());
      const double highest = static_cast<double>(std::numeric_limits<T>::max());
      const bool above = sizeof(T) == 8 ? value >= highest : value > highest;
      if (!(value >= lowest) || above || value != std::floor(value)) {
        fail(op, "expected a number that ", dtype, " holds, got ", value);
      }
    }
  });
}

// Throws unless both tensors live on one device.
inline void check_same_device(const char* op, const Tensor& a, const Tensor& b) {
  if (!(a.device() == b.device())) {
    fail(op, "expected both inputs on one device, got ", describe(a), " and ", describe(b));
  }
}

// Throws unless `index` is i64 with values in [0, n). Returns it contiguous. Values on a device are
// not waited for: its kernels skip wrong ones, and the next copy to the host throws.
inline Tensor checked_index(const char* op, const Tensor& x, const Tensor& index, std::int64_t n) {
  check_dtype(op, "index", index, {DType::i64}, "dtype i64");
  if (x.defined()) check_same_device(op, x, index);
  const Tensor plain = contiguous(index);
  if (plain.device().type != DeviceType::cpu) return plain;
  const std::int64_t* values = plain.data<std::int64_t>();
  for (std::int64_t i = 0; i < plain.numel(); ++i) {
    if (values[i] < 0 || values[i] >= n) {
      fail(op, "expected indices in [0, ", n, "), got ", values[i], " at position ", i);
    }
  }
  return plain;
}

}  // namespace athanor
