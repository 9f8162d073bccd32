#include "distill/refine/surface.h"

#include <algorithm>
#include <cmath>

#include "tensor/base/error.h"
#include "tensor/base/parallel.h"
#include "tensor/ops/copy.h"

namespace athanor::distill {
namespace {

constexpr int kDark = 10;    // grey levels
constexpr int kBright = 60;  // beside a block

// Median over the inner pixels of |4 x - the four neighbours|, in units of the full range.
double median_laplacian(const std::uint8_t* x, std::int64_t height, std::int64_t width) {
  std::vector<int> values;
  values.reserve(static_cast<std::size_t>(height * width));
  for (std::int64_t i = 1; i + 1 < height; ++i) {
    for (std::int64_t j = 1; j + 1 < width; ++j) {
      const std::uint8_t* p = x + i * width + j;
      values.push_back(std::abs(4 * p[0] - p[-1] - p[1] - p[-width] - p[width]));
    }
  }
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  const int upper = *middle;
  const int lower = values.size() % 2 == 1 ? upper : *std::max_element(values.begin(), middle);
  return (lower + upper) / 2. / 255;
}

// Calls fn(y, x, side) for the largest dark square at each lower right corner in the middle of the
// image.
template <class Fn>
void each_hole(const std::uint8_t* x, std::int64_t height, std::int64_t width, Fn&& fn) {
  std::vector<std::int64_t> above(width), row(width);
  for (std::int64_t i = 0; i < height; ++i) {
    const bool middle_row = i >= height * 8 / 28 && i <= height * 22 / 28;
    for (std::int64_t j = 0; j < width; ++j) {
      const bool dark = x[i * width + j] < kDark;
      const bool edge = i == 0 || j == 0;
      row[j] = !dark ? 0 : edge ? 1 : 1 + std::min({above[j], row[j - 1], above[j - 1]});
      const bool middle = middle_row && j >= width * 8 / 28 && j <= width * 22 / 28;
      if (middle) fn(i, j, row[j]);
    }
    std::swap(above, row);
  }
}

// Side of the largest of them.
std::int64_t largest_hole(const std::uint8_t* x, std::int64_t height, std::int64_t width) {
  std::int64_t largest = 0;
  each_hole(x, height, width,
            [&](auto, auto, std::int64_t side) { largest = std::max(largest, side); });
  return largest;
}

// Whether the square with this lower right corner is zero and an object ends at one of its sides.
bool is_block(const std::uint8_t* x, std::int64_t height, std::int64_t width, std::int64_t bottom,
              std::int64_t right, std::int64_t side) {
  const std::int64_t top = bottom - side + 1, left = right - side + 1;
  int above = 0, below = 0, before = 0, behind = 0;  // bright pixels beside each side
  for (std::int64_t k = 0; k < side; ++k) {
    for (std::int64_t l = 0; l < side; ++l) {
      if (x[(top + k) * width + left + l] != 0) return false;
    }
    above += top > 0 && x[(top - 1) * width + left + k] > kBright;
    below += bottom + 1 < height && x[(bottom + 1) * width + left + k] > kBright;
    before += left > 0 && x[(top + k) * width + left - 1] > kBright;
    behind += right + 1 < width && x[(top + k) * width + right + 1] > kBright;
  }
  return 2 * std::max({above, below, before, behind}) > side;
}

// Whether a square of this side is a block that was put over an object.
bool has_block(const std::uint8_t* x, std::int64_t height, std::int64_t width, std::int64_t side) {
  bool found = false;
  each_hole(x, height, width, [&](std::int64_t bottom, std::int64_t right, std::int64_t hole) {
    found = found || (hole == side && is_block(x, height, width, bottom, right, side));
  });
  return found;
}

SurfaceStatistics measure(const std::uint8_t* x, std::int64_t height, std::int64_t width) {
  double border = 0, sum = 0, squares = 0;
  for (std::int64_t j = 0; j < width; ++j) border += x[j] + x[(height - 1) * width + j];
  for (std::int64_t i = 0; i < height; ++i) border += x[i * width] + x[i * width + width - 1];
  for (std::int64_t i = 0; i < height * width; ++i) {
    sum += x[i];
    squares += double(x[i]) * x[i];
  }
  const double n = static_cast<double>(height * width), mean = sum / n;
  const double corners = x[0] + x[width - 1] + x[(height - 1) * width] + x[height * width - 1];
  SurfaceStatistics s{};
  s.noise = median_laplacian(x, height, width);
  s.border = border / static_cast<double>(2 * (height + width)) / 255;
  s.corner = corners / 4 / 255;
  s.hole = static_cast<double>(largest_hole(x, height, width)) * 28 /
           static_cast<double>(std::min(height, width));
  s.contrast = std::sqrt(std::max(0.0, squares / n - mean * mean)) / 255;
  return s;
}

}  // namespace

SurfaceValidity check_surface(const Tensor& images, const SurfaceLimits& limits) {
  if (images.rank() != 3 || images.dtype() != DType::u8 || images.size(1) < 8 ||
      images.size(2) < 8) {
    fail("check_surface", "expected images u8 [N, H >= 8, W >= 8], got ", describe(images));
  }
  const Tensor x = contiguous(images);
  const std::int64_t n = x.size(0), height = x.size(1), width = x.size(2);
  SurfaceValidity result;
  result.share.resize(n);
  result.fault.assign(n, SurfaceFault::none);
  result.statistics.resize(n);
  parallel_for(n, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::uint8_t* image = x.data<std::uint8_t>() + i * height * width;
      const auto s = measure(image, height, width);
      const auto side = static_cast<std::int64_t>(limits.hole) * std::min(height, width) / 28;
      const bool hole = s.hole > limits.hole || (limits.edges && s.hole == limits.hole &&
                                                 has_block(image, height, width, side));
      const bool missing = hole || s.contrast < limits.contrast;
      const bool foreign = s.border > limits.border || s.corner > limits.corner;
      const int failed = (s.noise > limits.noise) + (s.border > limits.border) +
                         (s.corner > limits.corner) + hole + (s.contrast < limits.contrast);
      result.statistics[i] = s;
      result.share[i] = 1 - failed / 5.;
      if (missing) {
        result.fault[i] = SurfaceFault::missing;
      } else if (s.noise > limits.noise) {
        result.fault[i] = SurfaceFault::noise;
      } else if (foreign) {
        result.fault[i] = SurfaceFault::out_of_domain;
      }
    }
  });
  return result;
}

}  // namespace athanor::distill
