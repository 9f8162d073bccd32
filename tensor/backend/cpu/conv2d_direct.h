// Which convolutions the own kernels (conv2d_direct.cpp) serve; the rest goes to oneDNN.
#pragma once

#include "tensor/backend/conv_args.h"

namespace athanor {
struct Kernels;
}

namespace athanor::cpu {

// Sums of the weight's gradient are kept once a chunk of images; beyond this many elements a weight
// is left to oneDNN.
inline constexpr std::int64_t kMaxDirectWeight = 1 << 20;

inline bool is_plain(const Conv2dArgs& a) {
  return a.groups == 1 && a.dilation.h == 1 && a.dilation.w == 1;
}
// Measured (docs/design.md): oneDNN is ahead where the runs of a window are shorter than 8 values,
// unless a ReLU or pooling follows, for which it needs another pass, and where few channels would
// fill a small part of a strip. It knows no f64.
inline bool direct_forward(const Conv2dArgs& a) {
  return is_plain(a) &&
         (a.x.dtype == DType::f64 || a.relu || a.pool || a.x.sizes[1] * a.w.sizes[3] >= 8);
}
// As forward passes over dy, one for each remainder of a position by the step: with no more padding
// than such a pass can take away.
inline bool padding_fits(std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
  for (std::int64_t r = 0; r < stride; ++r) {
    const std::int64_t taps = taps_from((r + padding) % stride, kernel, stride);
    if (taps > 0 && (r + padding) / stride > taps - 1) return false;
  }
  return true;
}
inline bool direct_backward_input(const Conv2dArgs& a) {
  return is_plain(a) && padding_fits(a.w.sizes[2], a.stride.h, a.padding.h) &&
         padding_fits(a.w.sizes[3], a.stride.w, a.padding.w) &&
         (a.x.dtype == DType::f64 || a.x.sizes[1] >= 8);
}
inline bool direct_backward_weight(const Conv2dArgs& a) {
  return is_plain(a) && a.w.numel() <= kMaxDirectWeight;
}

inline bool direct_backward(const Conv2dBatchNormBackwardArgs& a) {
  return direct_backward_weight(a.conv) &&
         (!a.dx.data || (padding_fits(a.conv.w.sizes[2], a.conv.stride.h, a.conv.padding.h) &&
                         padding_fits(a.conv.w.sizes[3], a.conv.stride.w, a.conv.padding.w)));
}

// Set when the backend table is made: the own kernels of the instruction set in use, f32 and f64.
extern void (*own_conv2d)(const Conv2dArgs&);
extern void (*own_conv2d_backward_input)(const Conv2dArgs&);
extern void (*own_conv2d_backward_weight)(const Conv2dArgs&);
extern void (*own_conv2d_batch_norm_backward)(const Conv2dBatchNormBackwardArgs&);

// Puts the choice between them and the other ways (conv2d.cpp) into the table.
void add_conv2d(Kernels& table);

}  // namespace athanor::cpu
