// Anomaly mode: finds the operation that made the first NaN.
#pragma once

#include <functional>
#include <span>

#include "autograd/variable.h"

namespace athanor {

// While one lives, operations and backward passes on this thread check what they compute and throw
// at the first anomaly, naming the operation:
//   forward: a result with NaN (infinities are legal, as in masks);
//   backward: a gradient with NaN or Inf, with the operations that made the inputs.
// Each check reads the whole result: for finding an error, not for training.
class DetectAnomaly {
 public:
  DetectAnomaly();
  ~DetectAnomaly();
  DetectAnomaly(const DetectAnomaly&) = delete;
  DetectAnomaly& operator=(const DetectAnomaly&) = delete;

 private:
  bool previous_;
};

namespace detail {

bool anomaly_enabled();
// Throws when `value`, the result of `op`, has NaN.
void check_forward(const char* op, const Tensor& value,
                   std::span<const std::reference_wrapper<const Variable>> inputs);
// Throws when the gradient that `node` computed for its input has NaN or Inf.
void check_gradient(const Node& node, int input, const Variable& gradient);

}  // namespace detail
}  // namespace athanor
