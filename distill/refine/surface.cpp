#include "distill/refine/surface.h"

#include <algorithm>
#include <cmath>

#include "tensor/base/error.h"
#include "tensor/base/parallel.h"
#include "tensor/ops/copy.h"

namespace athanor::distill {
namespace {

constexpr int kDark = 10;  // grey levels

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

// Side of the largest dark square whose lower right corner lies in the middle of the image.
std::int64_t largest_hole(const std::uint8_t* x, std::int64_t height, std::int64_t width) {
  std::vector<std::int64_t> above(width), row(width);
  std::int64_t largest = 0;
  for (std::int64_t i = 0; i < height; ++i) {
    const bool middle_row = i >= height * 8 / 28 && i <= height * 22 / 28;
    for (std::int64_t j = 0; j < width; ++j) {
      const bool dark = x[i * width + j] < kDark;
      const bool edge = i == 0 || j == 0;
      row[j] = !dark ? 0 : edge ? 1 : 1 + std::min({above[j], row[j - 1], above[j - 1]});
      const bool middle = middle_row && j >= width * 8 / 28 && j <= width * 22 / 28;
      if (middle) largest = std::max(largest, row[j]);
    }
    std::swap(above, row);
  }
  return largest;
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
      const auto s = measure(x.data<std::uint8_t>() + i * height * width, height, width);
      const bool missing = s.hole > limits.hole || s.contrast < limits.contrast;
      const bool foreign = s.border > limits.border || s.corner > limits.corner;
      const int failed = (s.noise > limits.noise) + (s.border > limits.border) +
                         (s.corner > limits.corner) + (s.hole > limits.hole) +
                         (s.contrast < limits.contrast);
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
