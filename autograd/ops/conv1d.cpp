#include "autograd/ops/conv1d.h"

#include "autograd/ops/conv2d.h"
#include "autograd/ops/conv_transpose2d.h"
#include "autograd/ops/shape.h"

namespace athanor {
namespace {

void check_sequence(const char* op, const char* w_shape, const Variable& x, const Variable& w) {
  if (!x.defined() || x.rank() != 3) {
    fail(op, "expected x [N, C, L], got ", x.defined() ? describe(x.tensor()) : "nothing");
  }
  if (!w.defined() || w.rank() != 3) {
    fail(op, "expected w ", w_shape, ", got ", w.defined() ? describe(w.tensor()) : "nothing");
  }
}

// Height 1 before the length.
Variable sequence_as_image(const Variable& x) { return unsqueeze(x, 2); }
Variable as_sequence(const Variable& y) { return squeeze(y, 2); }

}  // namespace

Variable conv1d(const Variable& x, const Variable& w, const Variable& b,
                const Conv1dOptions& options) {
  check_sequence("conv1d", "[O, I / groups, k]", x, w);
  const Conv2dOptions image{
      {1, options.stride}, {0, options.padding}, {1, options.dilation}, options.groups};
  return as_sequence(conv2d(sequence_as_image(x), sequence_as_image(w), b, image));
}

Variable conv_transpose1d(const Variable& x, const Variable& w, const Variable& b,
                          const ConvTranspose1dOptions& options) {
  check_sequence("conv_transpose1d", "[I, O / groups, k]", x, w);
  const ConvTranspose2dOptions image{{1, options.stride},
                                     {0, options.padding},
                                     {0, options.output_padding},
                                     {1, options.dilation},
                                     options.groups};
  return as_sequence(conv_transpose2d(sequence_as_image(x), sequence_as_image(w), b, image));
}

}  // namespace athanor
