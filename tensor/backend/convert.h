// Conversion of one element, defined for every value.
#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

#include "tensor/base/dtype.h"

namespace athanor {

// `value` as a Y. Floats go to integers by truncation, out of range to the nearest end and NaN to
// 0; integers keep their low bits; to bool, what is not 0 is true.
template <class Y, class C>
inline Y converted(C value) {
  using D = compute_t<Y>;
  if constexpr (std::is_floating_point_v<C> && std::is_integral_v<D> && !std::is_same_v<D, bool>) {
    // As a C the upper end may round up, to a value that is out of range itself.
    constexpr C lowest = static_cast<C>(std::numeric_limits<D>::min());
    constexpr C highest = static_cast<C>(std::numeric_limits<D>::max());
    if (value != value) return 0;
    if (value <= lowest) return std::numeric_limits<D>::min();
    if (value >= highest) return std::numeric_limits<D>::max();
  }
  return static_cast<Y>(static_cast<D>(value));
}

}  // namespace athanor
