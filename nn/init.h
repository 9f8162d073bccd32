// How weights start; shared by the layers.
#pragma once

#include <initializer_list>

#include "tensor/random.h"

namespace athanor::nn {

// While one lives, the layers that this thread makes start from zeros and draw nothing: for a model
// whose every weight is loaded next (for MiniLM the draws take longer than reading its file).
class SkipInit {
 public:
  SkipInit();
  ~SkipInit();
  SkipInit(const SkipInit&) = delete;
  SkipInit& operator=(const SkipInit&) = delete;
};

// Uniform in +-1 / sqrt(fan in), PyTorch's default for linear layers and convolutions.
Tensor uniform_by_fan_in(const Shape& shape, std::int64_t fan_in, Generator& generator);

// Glorot & Bengio 2010: uniform in +-sqrt(6 / (fan in + fan out)).
Tensor glorot_uniform(const Shape& shape, std::int64_t fan_in, std::int64_t fan_out,
                      Generator& generator);

// Normal around 0.
Tensor normal_weights(const Shape& shape, double deviation, Generator& generator);

void check_sizes(const char* layer, std::initializer_list<std::int64_t> sizes);

}  // namespace athanor::nn
