#include "tensor/ops/segment.h"

#include "tensor/host.h"
#include "tensor/ops/binary.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/device.h"
#include "tensor/ops/operand.h"
#include "tensor/ops/shape.h"

namespace athanor {
namespace {

// x's shape with `count` rows, after checks.
Shape result_shape(const char* op, const Tensor& x, const Segments& segments) {
  check_dtype(op, "x", x, kRealDTypes, "a floating dtype");
  check_same_device(op, x, segments.ids());
  if (x.rank() < 1 || x.size(0) != segments.rows()) {
    fail(op, "expected x [", segments.rows(), ", ...], one row an id, got ", describe(x));
  }
  Shape shape = x.shape();
  shape[0] = segments.count();
  return shape;
}

}  // namespace

Segments::Segments(const Tensor& ids, std::int64_t count) {
  if (count < 0) fail("segments", "expected count >= 0, got ", count);
  // The order is found on the CPU, also for a device, whose ids are read once for it.
  const Tensor plain = checked_index("segments", {}, to_host(ids), count);
  ids_ = plain;
  if (ids_.rank() != 1) fail("segments", "expected ids [n], got ", describe(ids));
  offsets_ = zeros({count + 1}, DType::i64);
  order_ = empty({ids_.numel()}, DType::i64, ids_.device());
  const std::int64_t* id = ids_.data<std::int64_t>();
  std::int64_t *offset = offsets_.data<std::int64_t>(), *order = order_.data<std::int64_t>();
  // Counting sort, stable: counts, their running sums, then each row to the next free place.
  for (std::int64_t i = 0; i < rows(); ++i) ++offset[id[i] + 1];
  for (std::int64_t s = 0; s < count; ++s) offset[s + 1] += offset[s];
  const Tensor places = clone(offsets_);
  std::int64_t* next = static_cast<std::int64_t*>(places.raw());
  for (std::int64_t i = 0; i < rows(); ++i) order[next[id[i]]++] = i;
  const Device device = ids.device();
  ids_ = to(plain, device);
  offsets_ = to(offsets_, device);
  order_ = to(order_, device);
}

Tensor Segments::sizes() const {
  return sub(slice(offsets_, 0, 1, count() + 1), slice(offsets_, 0, 0, count()));
}

Tensor segment_sum(const Tensor& x, const Segments& segments) {
  const Shape shape = result_shape("segment_sum", x, segments);
  const Tensor y = zeros(shape, x.dtype(), x.device());
  if (x.numel() == 0 || y.numel() == 0) return y;
  const Tensor from = contiguous(x);
  launch("segment_sum", &Kernels::csr_matmul, x.dtype(), x.device(),
         CsrMatmulArgs{operand(segments.offsets()),
                       operand(segments.order()),
                       {},
                       {},
                       operand(from),
                       operand(y),
                       segments.count(),
                       x.numel() / x.size(0)});
  return y;
}

Tensor segment_argmax(const Tensor& x, const Segments& segments) {
  const Shape shape = result_shape("segment_argmax", x, segments);
  const Tensor y = zeros(shape, DType::i64, x.device());
  if (x.numel() == 0 || y.numel() == 0) return y;
  const Tensor from = contiguous(x);
  launch("segment_argmax", &Kernels::segment_argmax, x.dtype(), x.device(),
         SegmentArgmaxArgs{operand(segments.offsets()), operand(segments.order()), operand(from),
                           operand(y), segments.count(), x.numel() / x.size(0)});
  return y;
}

}  // namespace athanor
