#include "autograd/ops/segment.h"

#include "autograd/autocast.h"
#include "autograd/node.h"
#include "autograd/ops/binary.h"
#include "autograd/ops/gather.h"
#include "autograd/ops/shape.h"
#include "autograd/ops/where.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/device.h"

namespace athanor {
namespace {

// One value a segment, in a shape that broadcasts against [count, ...] of the given rank.
Tensor by_segment(const Tensor& values, int rank) {
  Shape shape = Dims::filled(rank, 1);
  shape[0] = values.numel();
  return reshape(values, shape);
}

}  // namespace

Variable segment_sum(const Variable& x, const Segments& segments) {
  return record("segment_sum", segment_sum(x.tensor(), segments), {x},
                [segments](const Variable& dy, Gradients& d) {
                  d.set(0, index_select(dy, 0, segments.ids()));
                });
}

Variable segment_mean(const Variable& x, const Segments& segments) {
  const Variable total = segment_sum(x, segments);
  const Tensor sizes =
      maximum(cast(segments.sizes(), DType::f64), scalar(1, DType::f64, x.device()));
  const Tensor share = cast(reciprocal(sizes), total.dtype());
  return mul(total, Variable(by_segment(share, total.rank())));
}

Variable segment_max(const Variable& x, const Segments& segments) {
  const Tensor index = segment_argmax(x.tensor(), segments);
  if (x.numel() == 0 || index.numel() == 0) return segment_sum(x, segments);  // zeros
  const Variable largest = take_along_axis(x, index, 0);
  const Tensor empty = equal(segments.sizes(), scalar(0, DType::i64, x.device()));
  return masked_fill(largest, by_segment(empty, x.rank()), 0);
}

Variable segment_softmax(const Variable& x, const Segments& segments) {
  if (!x.defined()) fail("segment_softmax", "expected a defined x, got an undefined one");
  if (autocasts("segment_softmax", x)) {
    return segment_softmax(autocast("segment_softmax", x), segments);
  }
  const Tensor& ids = segments.ids();
  const auto spread = [&ids](const auto& by_segment) { return index_select(by_segment, 0, ids); };
  const Variable constant = x.detach();
  const Tensor e = exp(sub(x.tensor(), spread(segment_max(constant, segments).tensor())));
  const Tensor y = div(e, spread(segment_sum(e, segments)));
  return record("segment_softmax", y, {x},
                [y = SavedOutput(y), segments](const Variable& dy, Gradients& d) {
                  const Variable value = y.get(d), weighted = value * dy;
                  const Variable mean = segment_sum(weighted, segments);
                  d.set(0, weighted - value * index_select(mean, 0, segments.ids()));
                });
}

}  // namespace athanor
