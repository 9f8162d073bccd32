#include "distill/restructure/kd_tree.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <queue>

#include "tensor/ops/copy.h"

namespace athanor::distill {
namespace {

constexpr std::int32_t kLeaf = 16;

// Squared distance, or some value above `limit` as soon as it is known to be larger. The sums only
// grow, also when rounded, so that leaving early never changes which points lie within the limit.
float squared_distance(const float* a, const float* b, std::int64_t d, float limit) {
  std::array<float, 8> sums{};
  std::int64_t j = 0;
  const auto total = [&sums] {
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) +
           ((sums[4] + sums[5]) + (sums[6] + sums[7]));
  };
  for (; j + 16 <= d; j += 16) {
    for (std::size_t half = 0; half < 2; ++half) {
      for (std::size_t lane = 0; lane < 8; ++lane) {
        const std::size_t at = static_cast<std::size_t>(j) + 8 * half + lane;
        const float difference = a[at] - b[at];
        sums[lane] += difference * difference;
      }
    }
    if (total() > limit) return std::numeric_limits<float>::infinity();
  }
  for (; j < d; ++j) {
    const float difference = a[j] - b[j];
    sums[static_cast<std::size_t>(j % 8)] += difference * difference;
  }
  return total();
}

}  // namespace

KdTree::KdTree(const Tensor& points) {
  if (points.rank() != 2 || points.dtype() != DType::f32 || points.size(0) < 1) {
    fail("kd_tree", "expected points [n, d] f32, got ", describe(points));
  }
  points_ = contiguous(points);
  n_ = points.size(0);
  d_ = points.size(1);
  order_.resize(static_cast<std::size_t>(n_));
  std::iota(order_.begin(), order_.end(), 0);
  build(0, static_cast<std::int32_t>(n_));
}

// Splits at the median of the widest axis. Depth is log2(n / kLeaf), so recursion is safe.
std::int32_t KdTree::build(std::int32_t begin, std::int32_t end) {
  const auto id = static_cast<std::int32_t>(cells_.size());
  cells_.push_back({begin, end});
  const auto d = static_cast<std::size_t>(d_);
  const std::size_t box = boxes_.size();
  boxes_.resize(box + d, std::numeric_limits<float>::infinity());
  boxes_.resize(box + 2 * d, -std::numeric_limits<float>::infinity());
  const float* p = points_.data<float>();
  for (std::int32_t s = begin; s < end; ++s) {
    const float* point = p + order_[static_cast<std::size_t>(s)] * d_;
    for (std::size_t j = 0; j < d; ++j) {
      boxes_[box + j] = std::min(boxes_[box + j], point[j]);
      boxes_[box + d + j] = std::max(boxes_[box + d + j], point[j]);
    }
  }
  std::size_t axis = 0;
  const auto spread = [&](std::size_t j) { return boxes_[box + d + j] - boxes_[box + j]; };
  for (std::size_t j = 1; j < d; ++j) {
    if (spread(j) > spread(axis)) axis = j;
  }
  if (end - begin <= kLeaf || spread(axis) <= 0) return id;
  const std::int32_t middle = begin + (end - begin) / 2;
  std::nth_element(order_.begin() + begin, order_.begin() + middle, order_.begin() + end,
                   [&](std::int32_t a, std::int32_t b) {
                     const float x = p[a * d_ + static_cast<std::int64_t>(axis)];
                     const float y = p[b * d_ + static_cast<std::int64_t>(axis)];
                     return x != y ? x < y : a < b;
                   });
  const std::int32_t left = build(begin, middle), right = build(middle, end);
  cells_[static_cast<std::size_t>(id)].left = left;
  cells_[static_cast<std::size_t>(id)].right = right;
  return id;
}

float KdTree::box_distance(std::int32_t cell, const float* point) const {
  const auto d = static_cast<std::size_t>(d_);
  const float* low = boxes_.data() + static_cast<std::size_t>(cell) * 2 * d;
  const float* high = low + d;
  float sum = 0;
  for (std::size_t j = 0; j < d; ++j) {
    const float outside = std::max({low[j] - point[j], point[j] - high[j], 0.0f});
    sum += outside * outside;
  }
  return sum;
}

template <class Visit>
void KdTree::search(std::int32_t id, const float* point, float& limit, Visit&& visit) const {
  const Cell& cell = cells_[static_cast<std::size_t>(id)];
  const float* p = points_.data<float>();
  if (cell.left < 0) {
    for (std::int32_t s = cell.begin; s < cell.end; ++s) {
      const std::int32_t j = order_[static_cast<std::size_t>(s)];
      const float square = squared_distance(point, p + j * d_, d_, limit);
      if (square <= limit) visit(j, square);
    }
    return;
  }
  std::array<std::pair<float, std::int32_t>, 2> children = {
      {{box_distance(cell.left, point), cell.left}, {box_distance(cell.right, point), cell.right}}};
  if (children[1].first < children[0].first) std::swap(children[0], children[1]);
  for (const auto& [square, child] : children) {
    // The box's distance is rounded in another order than a point's: leave some room.
    if (square <= limit * (1 + 1e-4f)) search(child, point, limit, visit);
  }
}

std::vector<std::int32_t> KdTree::within(std::int64_t i, float radius) const {
  std::vector<std::int32_t> found;
  float limit = radius * radius;
  search(0, points_.data<float>() + i * d_, limit,
         [&found](std::int32_t j, float) { found.push_back(j); });
  std::sort(found.begin(), found.end());
  return found;
}

float KdTree::kth_distance(std::int64_t i, std::int64_t k) const {
  if (k < 1 || k >= n_) fail("kd_tree", "expected k in [1, ", n_, "), got ", k);
  std::priority_queue<float> best;
  float limit = std::numeric_limits<float>::infinity();
  search(0, points_.data<float>() + i * d_, limit, [&](std::int32_t j, float square) {
    if (j == i) return;
    best.push(square);
    if (static_cast<std::int64_t>(best.size()) > k) best.pop();
    if (static_cast<std::int64_t>(best.size()) == k) limit = best.top();
  });
  return std::sqrt(best.top());
}

float KdTree::distance(std::int64_t i, std::int64_t j) const {
  const float* p = points_.data<float>();
  return std::sqrt(
      squared_distance(p + i * d_, p + j * d_, d_, std::numeric_limits<float>::infinity()));
}

}  // namespace athanor::distill
