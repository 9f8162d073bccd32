// How weights start; shared by the layers.
#pragma once

#include <cmath>
#include <initializer_list>

#include "tensor/base/error.h"
#include "tensor/random.h"

namespace athanor::nn {

// Uniform in +-1 / sqrt(fan in), PyTorch's default for linear layers and convolutions.
inline Tensor uniform_by_fan_in(const Shape& shape, std::int64_t fan_in, Generator& generator) {
  const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
  return random_uniform(shape, generator, -bound, bound);
}

// Glorot & Bengio 2010: uniform in +-sqrt(6 / (fan in + fan out)).
inline Tensor glorot_uniform(const Shape& shape, std::int64_t fan_in, std::int64_t fan_out,
                             Generator& generator) {
  const double bound = std::sqrt(6.0 / static_cast<double>(fan_in + fan_out));
  return random_uniform(shape, generator, -bound, bound);
}

inline void check_sizes(const char* layer, std::initializer_list<std::int64_t> sizes) {
  for (std::int64_t size : sizes) {
    if (size < 1) fail(layer, "expected sizes >= 1, got ", size);
  }
}

}  // namespace athanor::nn
