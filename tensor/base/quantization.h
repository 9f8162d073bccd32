// How real numbers are stored in 8 bits (Jacob et al. 2018, equation 1): real = scale (q -
// zero_point).
#pragma once

#include <cmath>
#include <cstdint>
#include <ostream>

#include "tensor/base/dtype.h"
#include "tensor/base/error.h"

namespace athanor {

struct Quantization {
  float scale = 1;              // normal, > 0
  std::int32_t zero_point = 0;  // the q of real 0: in the range of the stored dtype

  friend bool operator==(const Quantization&, const Quantization&) = default;
};

inline std::ostream& operator<<(std::ostream& out, const Quantization& q) {
  return out << "scale " << q.scale << ", zero point " << q.zero_point;
}

// The least of the 256 values of u8 or i8.
inline std::int32_t lowest_step(DType dtype) { return dtype == DType::u8 ? 0 : -128; }

// Throws unless the scale is normal and > 0.
inline void check_scale(const char* op, float scale) {
  if (!(scale > 0) || !std::isnormal(scale)) {
    fail(op, "expected a scale that is normal and > 0, got ", scale);
  }
}

// The same for the scale of `q`, whose zero point has to be a value of `dtype`, u8 or i8.
inline void check_quantization(const char* op, const Quantization& q, DType dtype) {
  check_scale(op, q.scale);
  const std::int32_t lowest = lowest_step(dtype);
  if (q.zero_point < lowest || q.zero_point > lowest + 255) {
    fail(op, "expected a zero point in [", lowest, ", ", lowest + 255, "] for ", dtype, ", got ",
         q.zero_point);
  }
}

}  // namespace athanor
