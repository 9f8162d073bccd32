// How real numbers are stored in 8 bits (Jacob et al. 2018, equation 1): real = scale (q -
// zero_point).
#pragma once

#include <cstdint>
#include <ostream>

namespace athanor {

struct Quantization {
  float scale = 1;              // normal, > 0
  std::int32_t zero_point = 0;  // the q of real 0: in the range of the stored dtype

  friend bool operator==(const Quantization&, const Quantization&) = default;
};

inline std::ostream& operator<<(std::ostream& out, const Quantization& q) {
  return out << "scale " << q.scale << ", zero point " << q.zero_point;
}

}  // namespace athanor
