#include "distill/refine/uniqueness.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "distill/refine/components.h"
#include "tensor/base/error.h"
#include "tensor/base/parallel.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/matmul.h"
#include "tensor/ops/shape.h"

namespace athanor::distill {
namespace {

constexpr std::int64_t kCells = 7;  // block sums a side

// One of the nine windows of each image: its squared length, and its block sums divided by the
// root of the block's area. By Cauchy-Schwarz the distance of two windows' sums is at most theirs.
struct Window {
  std::int64_t down, right;
  std::vector<float> squared;  // [N]
  std::vector<double> mean;    // [N] of the pixels; 0 where images are not centred
  Tensor sums;                 // f32 [N, kCells^2]
  std::vector<float> sums_squared;
};

class DuplicateSearch {
 public:
  DuplicateSearch(const Tensor& images, const ImageCopyOptions& options)
      : images_(contiguous(images)),
        n_(images.size(0)),
        height_(images.size(1)),
        width_(images.size(2)),
        options_(options),
        threshold_(options.threshold),
        components_(n_) {}

  DuplicateGroups run() {
    DuplicateGroups groups;
    groups.exact = join_equal_bytes();
    const Window centre = window(1, 1);
    for (std::int64_t down = 0; down < 3; ++down) {
      for (std::int64_t right = 0; right < 3; ++right) compare(centre, window(down, right));
    }
    for (std::int64_t i = 0; i < n_; ++i) {
      groups.group.push_back(components_.find(i));
      groups.count += groups.group.back() == i;
    }
    return groups;
  }

 private:
  const std::uint8_t* image(std::int64_t i) const {
    return images_.data<std::uint8_t>() + i * height_ * width_;
  }

  std::vector<char> join_equal_bytes() {
    std::unordered_map<std::string_view, std::int64_t> first;
    std::vector<char> exact(n_);
    for (std::int64_t i = 0; i < n_; ++i) {
      const std::string_view bytes(reinterpret_cast<const char*>(image(i)), height_ * width_);
      const auto [at, added] = first.emplace(bytes, i);
      if (added) continue;
      exact[i] = 1;
      components_.join(at->second, i);
    }
    return exact;
  }

  Window window(std::int64_t down, std::int64_t right) const {
    const std::int64_t h = height_ - 2, w = width_ - 2;
    Window result{down,
                  right,
                  std::vector<float>(n_),
                  std::vector<double>(n_),
                  empty({n_, kCells * kCells}),
                  std::vector<float>(n_)};
    auto first = [](std::int64_t cell, std::int64_t length) { return cell * length / kCells; };
    float* all = result.sums.data<float>();
    parallel_for(n_, 256, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::uint8_t* x = image(i) + down * width_ + right;
        float* sums = all + i * kCells * kCells;
        std::int64_t squares = 0;
        double sums_squared = 0;
        const double mean = options_.centred ? mean_of(x, h, w) : 0;
        for (std::int64_t a = 0; a < kCells; ++a) {
          for (std::int64_t b = 0; b < kCells; ++b) {
            std::int64_t sum = 0;
            const std::int64_t y1 = first(a + 1, h), x1 = first(b + 1, w);
            for (std::int64_t v = first(a, h); v < y1; ++v) {
              for (std::int64_t u = first(b, w); u < x1; ++u) {
                const std::int64_t pixel = x[v * width_ + u];
                sum += pixel;
                squares += pixel * pixel;
              }
            }
            const double area = static_cast<double>((y1 - first(a, h)) * (x1 - first(b, w)));
            const double scaled =
                area > 0 ? (static_cast<double>(sum) - area * mean) / std::sqrt(area) : 0;
            sums[a * kCells + b] = static_cast<float>(scaled);
            sums_squared += scaled * scaled;
          }
        }
        result.squared[i] = static_cast<float>(static_cast<double>(squares) -
                                               static_cast<double>(h * w) * mean * mean);
        result.mean[i] = mean;
        result.sums_squared[i] = static_cast<float>(sums_squared);
      }
    });
    return result;
  }

  double mean_of(const std::uint8_t* x, std::int64_t h, std::int64_t w) const {
    std::int64_t sum = 0;
    for (std::int64_t v = 0; v < h; ++v) {
      for (std::int64_t u = 0; u < w; ++u) sum += x[v * width_ + u];
    }
    return static_cast<double>(sum) / static_cast<double>(h * w);
  }

  // Exact comparison of the centre of i with the window of j.
  bool near(std::int64_t i, std::int64_t j, const Window& centre, const Window& other) const {
    const double limit = threshold_ * std::max({centre.squared[i], other.squared[j], 1.f});
    const std::uint8_t* a = image(i) + width_ + 1;
    const std::uint8_t* b = image(j) + other.down * width_ + other.right;
    std::int64_t distance = 0;
    for (std::int64_t y = 0; y < height_ - 2; ++y) {
      for (std::int64_t x = 0; x < width_ - 2; ++x) {
        const int d = a[y * width_ + x] - b[y * width_ + x];
        distance += d * d;
      }
    }
    // Of images less their means; these are 0 where they are not centred.
    const double apart = centre.mean[i] - other.mean[j];
    const auto area = static_cast<double>((height_ - 2) * (width_ - 2));
    if (static_cast<double>(distance) - area * apart * apart >= limit) return false;
    return !options_.also || options_.also(i, j);
  }

  void compare(const Window& centre, const Window& other) {
    constexpr std::int64_t kBlock = 512;
    const float threshold = static_cast<float>(threshold_);
    const Tensor transposed = transpose(other.sums);
    for (std::int64_t start = 0; start < n_; start += kBlock) {
      const std::int64_t count = std::min(kBlock, n_ - start);
      const Tensor products =
          contiguous(matmul(slice(centre.sums, 0, start, start + count), transposed));
      std::vector<std::vector<std::int64_t>> found(count);
      parallel_for(count, 16, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t r = begin; r < end; ++r) {
          const std::int64_t i = start + r;
          const float* dot = products.data<float>() + r * n_;
          const float own = centre.sums_squared[i], length = centre.squared[i];
          for (std::int64_t j = 0; j < n_; ++j) {
            const float longest = std::max(length, other.squared[j]);
            const float bound = own + other.sums_squared[j] - 2 * dot[j];
            // 1e-4 of the length covers the rounding of f32 sums of 49 products.
            if (bound < (threshold + 1e-4f) * longest + 1 && j != i && near(i, j, centre, other)) {
              found[r].push_back(j);
            }
          }
        }
      });
      for (std::int64_t r = 0; r < count; ++r) {
        for (std::int64_t j : found[r]) components_.join(start + r, j);
      }
    }
  }

  const Tensor images_;
  const std::int64_t n_, height_, width_;
  const ImageCopyOptions& options_;
  const double threshold_;
  Components components_;
};

}  // namespace

DuplicateGroups find_image_duplicates(const Tensor& images, const ImageCopyOptions& options) {
  const double threshold = options.threshold;
  if (images.rank() != 3 || images.dtype() != DType::u8 || images.size(1) < 8 ||
      images.size(2) < 8) {
    fail("find_image_duplicates", "expected images u8 [N, H >= 8, W >= 8], got ", describe(images));
  }
  if (!(threshold >= 0 && threshold < 1)) {
    fail("find_image_duplicates", "expected a threshold in [0, 1), got ", threshold);
  }
  return DuplicateSearch(images, options).run();
}

std::vector<std::int64_t> best_of_groups(std::span<const std::int64_t> group,
                                         std::span<const double> score) {
  std::vector<std::int64_t> best(group.size(), -1), rows;
  for (std::int64_t i = 0; i < std::ssize(group); ++i) {
    std::int64_t& b = best[group[i]];
    if (b < 0 || score[i] > score[b]) b = i;
  }
  for (std::int64_t b : best) {
    if (b >= 0) rows.push_back(b);
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

std::vector<char> agrees_with_group(std::span<const std::int64_t> group,
                                    std::span<const std::int64_t> labels) {
  std::vector<std::int64_t> size(group.size()), most(group.size());
  for (const std::int64_t g : group) ++size[g];
  // Of the groups of several; most records stand alone.
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> count;
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (size[group[i]] < 2) continue;
    most[group[i]] = std::max(most[group[i]], ++count[{group[i], labels[i]}]);
  }
  std::vector<char> agrees(group.size());
  for (std::size_t i = 0; i < group.size(); ++i) {
    agrees[i] = size[group[i]] < 2 || count[{group[i], labels[i]}] == most[group[i]];
  }
  return agrees;
}

}  // namespace athanor::distill
