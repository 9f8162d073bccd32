#include "autograd/ops/adaptive_pool2d.h"

#include <algorithm>
#include <vector>

#include "autograd/ops/copy.h"
#include "autograd/ops/gather.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/pool2d.h"
#include "autograd/ops/resized.h"
#include "autograd/ops/shape.h"
#include "tensor/base/compute_dtype.h"
#include "tensor/ops/binary.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/device.h"
#include "tensor/ops/sort.h"
#include "tensor/ops/unary.h"

namespace athanor {
namespace {

// The window of output i of m over n elements.
struct AdaptiveWindow {
  std::int64_t begin, end;
  AdaptiveWindow(std::int64_t i, std::int64_t m, std::int64_t n)
      : begin(i * n / m), end(((i + 1) * n + m - 1) / m) {}
};

// [m, n] with 1 / width in each window.
Tensor averaging_matrix(std::int64_t m, std::int64_t n, DType dtype, Device device) {
  std::vector<double> values(static_cast<std::size_t>(m * n), 0.0);
  for (std::int64_t i = 0; i < m; ++i) {
    const AdaptiveWindow window(i, m, n);
    for (std::int64_t j = window.begin; j < window.end; ++j) {
      values[static_cast<std::size_t>(i * n + j)] =
          1.0 / static_cast<double>(window.end - window.begin);
    }
  }
  return to(cast(from_values(values, {m, n}), dtype), device);
}

// [m, k] i64: the places of each window, the last one repeated where a window is shorter than k.
Tensor window_places(std::int64_t m, std::int64_t n, Device device) {
  std::int64_t k = 0;
  for (std::int64_t i = 0; i < m; ++i)
    k = std::max(k, AdaptiveWindow(i, m, n).end - AdaptiveWindow(i, m, n).begin);
  std::vector<std::int64_t> places;
  for (std::int64_t i = 0; i < m; ++i) {
    const AdaptiveWindow window(i, m, n);
    for (std::int64_t j = 0; j < k; ++j)
      places.push_back(std::min(window.begin + j, window.end - 1));
  }
  return to(from_values(places, {m, k}), device);
}

// Windows without overlap, all of one size.
bool is_even(const Variable& x, Size2 size) {
  return x.size(2) % size.h == 0 && x.size(3) % size.w == 0;
}

Pool2dOptions even_pool(const Variable& x, Size2 size) {
  return {.kernel = {x.size(2) / size.h, x.size(3) / size.w}};
}

}  // namespace

Variable adaptive_avg_pool2d(const Variable& x, Size2 size) {
  detail::check_resized("adaptive_avg_pool2d", x, size);
  if (is_even(x, size)) return avg_pool2d(x, even_pool(x, size));
  // The window is a product of two: y = rows x columns^T, in f32 for f16 and bf16.
  const DType wide = compute_dtype(x.dtype());
  const Tensor rows = averaging_matrix(size.h, x.size(2), wide, x.device());
  const Tensor columns = averaging_matrix(size.w, x.size(3), wide, x.device());
  const Variable y = matmul(matmul(rows, cast(x, wide)), transpose(columns));
  return cast(y, x.dtype());
}

Variable adaptive_max_pool2d(const Variable& x, Size2 size) {
  detail::check_resized("adaptive_max_pool2d", x, size);
  if (is_even(x, size)) return max_pool2d(x, even_pool(x, size));
  const std::int64_t W = x.size(3), m = size.h * size.w;
  const Variable planes = reshape(x, {x.size(0), x.size(1), x.size(2) * W});
  // places [m, k]: of each window, within the plane.
  const Tensor rows = mul(window_places(size.h, x.size(2), x.device()), static_cast<double>(W));
  const Tensor columns = window_places(size.w, W, x.device());
  const std::int64_t kh = rows.size(1), kw = columns.size(1), k = kh * kw;
  const Tensor places = reshape(
      add(reshape(rows, {size.h, 1, kh, 1}), reshape(columns, {1, size.w, 1, kw})), {m * k});
  const Tensor windows =
      reshape(index_select(planes.tensor(), 2, places), {x.size(0), x.size(1), m, k});
  const Tensor best = add(argmax(windows, -1),
                          mul(arange(m, DType::i64, 0, 1, x.device()), static_cast<double>(k)));
  const Tensor index =
      reshape(index_select(places, 0, reshape(best, {best.numel()})), best.shape());
  const Variable y = take_along_axis(planes, index, 2);
  return reshape(y, {x.size(0), x.size(1), size.h, size.w});
}

}  // namespace athanor
