// The gradients of a convolution with batch norm behind it; see autograd/ops/conv2d_batch_norm.h.
#pragma once

#include "tensor/ops/batch_norm.h"
#include "tensor/ops/conv2d.h"

namespace athanor {

struct Conv2dBatchNormGradients {
  Tensor dx, dw, db, dgamma, dbeta;  // dx and db undefined unless asked for
};

// The gradients of batch_norm(z, gamma, beta) in training with z = conv2d(x, w, b), for dy of the
// shape of its result: those of batch_norm_backward, whose dx goes into conv2d_backward_input and
// conv2d_backward_weight. `saved` is what batch_norm_with_statistics gave; with its index, dy is
// the gradient of what was pooled. x [N, I, H, W], w [O, I / groups, kH, kW], gamma, beta [O], f32
// or f64, on a CPU: what dy becomes between the two is not stored. Throws as those three do.
Conv2dBatchNormGradients conv2d_batch_norm_backward(const Tensor& dy, const Tensor& x,
                                                    const Tensor& w, const Tensor& z,
                                                    const Tensor& gamma, const Tensor& beta,
                                                    const BatchNormResult& saved,
                                                    const Conv2dOptions& conv, bool relu,
                                                    bool with_dx, bool with_db);

}  // namespace athanor
