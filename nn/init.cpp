#include "nn/init.h"

#include <cmath>

#include "tensor/base/error.h"
#include "tensor/ops/copy.h"

namespace athanor::nn {
namespace {

thread_local int skipping = 0;

Tensor uniform(const Shape& shape, double bound, Generator& generator) {
  return skipping > 0 ? zeros(shape) : random_uniform(shape, generator, -bound, bound);
}

}  // namespace

SkipInit::SkipInit() { ++skipping; }
SkipInit::~SkipInit() { --skipping; }

Tensor uniform_by_fan_in(const Shape& shape, std::int64_t fan_in, Generator& generator) {
  return uniform(shape, 1 / std::sqrt(static_cast<double>(fan_in)), generator);
}

Tensor glorot_uniform(const Shape& shape, std::int64_t fan_in, std::int64_t fan_out,
                      Generator& generator) {
  return uniform(shape, std::sqrt(6.0 / static_cast<double>(fan_in + fan_out)), generator);
}

Tensor normal_weights(const Shape& shape, double deviation, Generator& generator) {
  return skipping > 0 ? zeros(shape) : random_normal(shape, generator, 0, deviation);
}

void check_sizes(const char* layer, std::initializer_list<std::int64_t> sizes) {
  for (std::int64_t size : sizes) {
    if (size < 1) fail(layer, "expected sizes >= 1, got ", size);
  }
}

}  // namespace athanor::nn
