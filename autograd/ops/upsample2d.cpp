#include "autograd/ops/upsample2d.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "autograd/ops/binary.h"
#include "autograd/ops/copy.h"
#include "autograd/ops/gather.h"
#include "autograd/ops/resized.h"
#include "autograd/ops/shape.h"
#include "tensor/base/compute_dtype.h"
#include "tensor/ops/device.h"

namespace athanor {
namespace {

Tensor nearest(std::int64_t from, std::int64_t count, Device device) {
  std::vector<std::int64_t> places;
  for (std::int64_t i = 0; i < count; ++i) places.push_back(i * from / count);
  return to(from_values(places, {count}), device);
}

// x [N, ...] resampled along `axis` to `count` elements.
Variable linear_along(const Variable& x, int axis, std::int64_t count, bool align_corners) {
  const std::int64_t from = x.size(axis);
  if (from == count) return x;
  std::vector<std::int64_t> low, high;
  std::vector<double> weight;
  for (std::int64_t i = 0; i < count; ++i) {
    const double at = static_cast<double>(i), n = static_cast<double>(from),
                 m = static_cast<double>(count);
    const double place = align_corners ? (count > 1 ? at * (n - 1) / (m - 1) : 0)
                                       : std::max((at + 0.5) * n / m - 0.5, 0.0);
    const auto whole = std::min(static_cast<std::int64_t>(place), from - 1);
    low.push_back(whole);
    high.push_back(std::min(whole + 1, from - 1));
    weight.push_back(place - static_cast<double>(whole));
  }
  Shape beside = Dims::filled(x.rank(), 1);
  beside[axis] = count;
  const Tensor w = to(cast(from_values(weight, beside), x.dtype()), x.device());
  const auto at = [&](const std::vector<std::int64_t>& places) {
    return index_select(x, axis, to(from_values(places, {count}), x.device()));
  };
  return lerp(at(low), at(high), Variable(w));
}

// Channels go last, so that rows and columns are copied with all their channels.
Variable channels_behind(const Variable& x) { return permute(x, {0, 2, 3, 1}); }
Variable channels_second(const Variable& y) { return permute(y, {0, 3, 1, 2}); }

}  // namespace

Variable upsample_nearest2d(const Variable& x, Size2 size) {
  detail::check_resized("upsample_nearest2d", x, size);
  const Variable rows = index_select(channels_behind(x), 1, nearest(x.size(2), size.h, x.device()));
  return channels_second(index_select(rows, 2, nearest(x.size(3), size.w, x.device())));
}

Variable upsample_bilinear2d(const Variable& x, Size2 size, bool align_corners) {
  detail::check_resized("upsample_bilinear2d", x, size);
  const Variable wide = cast(channels_behind(x), compute_dtype(x.dtype()));
  const Variable rows = linear_along(wide, 1, size.h, align_corners);
  return channels_second(cast(linear_along(rows, 2, size.w, align_corners), x.dtype()));
}

}  // namespace athanor
