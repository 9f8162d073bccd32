#include "tensor/ops/layout.h"

#include <atomic>

#include "tensor/ops/copy.h"

namespace athanor {
namespace {

std::atomic<std::int64_t> reorders{0};

}  // namespace

std::int64_t reorder_count() { return reorders.load(std::memory_order_relaxed); }

Tensor activation_layout(const Tensor& x) {
  if (x.rank() == 4 ? x.is_channels_last() : x.is_contiguous()) return x;
  reorders.fetch_add(1, std::memory_order_relaxed);
  return x.rank() == 4 ? channels_last(x) : contiguous(x);
}

Tensor empty_activation(const Shape& shape, DType dtype, Device device) {
  return shape.size() == 4 ? empty_channels_last(shape, dtype, device)
                           : empty(shape, dtype, device);
}

}  // namespace athanor
