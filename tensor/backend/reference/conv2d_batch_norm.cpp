#include "tensor/backend/conv2d_batch_norm.h"

#include <vector>

#include "tensor/backend/reference/reference.h"

namespace athanor::reference {

void conv2d_batch_norm_backward(const Conv2dBatchNormBackwardArgs& a) {
  visit_float(a.norm.x.dtype, [&]<class T>(Tag<T>) {
    std::vector<T> dz(static_cast<std::size_t>(a.norm.x.numel()));
    backward_apart(a, dz.data(), batch_norm_backward, conv2d_backward_input,
                   conv2d_backward_weight);
  });
}

}  // namespace athanor::reference
