// Shared by the row kernels of the reference backend.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "tensor/base/dtype.h"

namespace athanor::reference {

// log sum exp(scale x) of n values with `stride`, in double.
template <class T>
double log_sum_exp(const T* x, std::int64_t n, std::int64_t stride, double scale = 1) {
  const auto at = [&](std::int64_t i) {
    return scale * static_cast<double>(static_cast<compute_t<T>>(x[i * stride]));
  };
  double largest = at(0);
  for (std::int64_t i = 1; i < n; ++i) largest = std::max(largest, at(i));
  if (!std::isfinite(largest)) largest = 0;
  double total = 0;
  for (std::int64_t i = 0; i < n; ++i) total += std::exp(at(i) - largest);
  return largest + std::log(total);
}

}  // namespace athanor::reference
