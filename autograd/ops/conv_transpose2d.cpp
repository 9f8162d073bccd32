#include "autograd/ops/conv_transpose2d.h"

#include "autograd/ops/binary.h"
#include "autograd/ops/conv2d.h"
#include "autograd/ops/shape.h"

namespace athanor {
namespace {

constexpr const char* kTransposeOp = "conv_transpose2d";

void check_transpose_options(const ConvTranspose2dOptions& o) {
  if (o.stride.h < 1 || o.stride.w < 1) fail(kTransposeOp, "expected stride >= 1, got ", o.stride);
  if (o.padding.h < 0 || o.padding.w < 0)
    fail(kTransposeOp, "expected padding >= 0, got ", o.padding);
  if (o.dilation.h < 1 || o.dilation.w < 1)
    fail(kTransposeOp, "expected dilation >= 1, got ", o.dilation);
  if (o.groups < 1) fail(kTransposeOp, "expected groups >= 1, got ", o.groups);
  const Size2 extra = o.output_padding;
  if (extra.h < 0 || extra.w < 0 || extra.h >= o.stride.h || extra.w >= o.stride.w) {
    fail(kTransposeOp, "expected output_padding in [0, stride), got ", extra, " with stride ",
         o.stride);
  }
}

std::int64_t transposed_size(std::int64_t in, std::int64_t kernel, std::int64_t stride,
                             std::int64_t padding, std::int64_t output_padding,
                             std::int64_t dilation) {
  const std::int64_t out =
      (in - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1;
  if (in < 1 || out < 1) {
    fail(kTransposeOp, "expected an input and a result of at least one element an axis, got ", in,
         " and ", out);
  }
  return out;
}

// Throws unless x and w fit.
void check_transpose_inputs(const Variable& x, const Variable& w, const ConvTranspose2dOptions& o) {
  if (!x.defined() || !w.defined()) fail(kTransposeOp, "expected x and w, got an undefined one");
  const Tensor &image = x.tensor(), &weight = w.tensor();
  if (x.rank() != 4) fail(kTransposeOp, "expected x [N, I, H, W], got ", describe(image));
  if (w.rank() != 4 || w.numel() == 0 || w.size(0) != x.size(1)) {
    fail(kTransposeOp, "expected w [", x.size(1), ", O / groups, kH, kW], got ", describe(weight),
         " (x ", describe(image), ")");
  }
  if (x.size(1) % o.groups != 0) {
    fail(kTransposeOp, "expected groups dividing I = ", x.size(1), ", got ", o.groups);
  }
}

}  // namespace

Variable conv_transpose2d(const Variable& x, const Variable& w, const Variable& b,
                          const ConvTranspose2dOptions& options) {
  const ConvTranspose2dOptions& o = options;
  check_transpose_options(o);
  check_transpose_inputs(x, w, o);
  const std::int64_t O = w.size(1) * o.groups;
  if (b.defined() && (!(b.shape() == Shape{O}) || b.dtype() != x.dtype())) {
    fail(kTransposeOp, "expected b [", O, "] ", x.dtype(), ", got ", describe(b.tensor()));
  }
  const Shape result{x.size(0), O,
                     transposed_size(x.size(2), w.size(2), o.stride.h, o.padding.h,
                                     o.output_padding.h, o.dilation.h),
                     transposed_size(x.size(3), w.size(3), o.stride.w, o.padding.w,
                                     o.output_padding.w, o.dilation.w)};
  // x is the gradient of a convolution whose input has the result's shape.
  const Variable y =
      conv2d_backward_input(x, w, result, {o.stride, o.padding, o.dilation, o.groups});
  return b.defined() ? add(y, reshape(b, {O, 1, 1})) : y;
}

}  // namespace athanor
