#include "distill/refine/neighbors.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "distill/refine/feature_values.h"
#include "distill/restructure/knn_graph.h"
#include "tensor/base/error.h"
#include "tensor/base/parallel.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/matmul.h"
#include "tensor/ops/shape.h"
#include "tensor/random.h"

namespace athanor::distill {
namespace {

constexpr std::int64_t kRowBlock = 512;

Tensor check_rows(const char* op, const Tensor& x) {
  if (x.rank() != 2 || x.dtype() != DType::f32 || x.size(0) < 1) {
    fail(op, "expected f32 [N >= 1, D], got ", describe(x));
  }
  return contiguous(x);
}

std::vector<float> squared_lengths(const Tensor& x) {
  const std::int64_t n = x.size(0), d = x.size(1);
  std::vector<float> lengths(n);
  for (std::int64_t i = 0; i < n; ++i) {
    const float* row = x.data<float>() + i * d;
    double sum = 0;
    for (std::int64_t j = 0; j < d; ++j) sum += double(row[j]) * row[j];
    lengths[i] = static_cast<float>(sum);
  }
  return lengths;
}

// Calls fn(row of a, products [rows of b]) for each row of a, on several threads.
template <class Fn>
void for_each_product_row(const Tensor& a, const Tensor& b, Fn&& fn) {
  const Tensor transposed = transpose(b);
  for (std::int64_t start = 0; start < a.size(0); start += kRowBlock) {
    const std::int64_t count = std::min(kRowBlock, a.size(0) - start);
    const Tensor products = contiguous(matmul(slice(a, 0, start, start + count), transposed));
    parallel_for(count, 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        fn(start + r, products.data<float>() + r * b.size(0));
      }
    });
  }
}

}  // namespace

Neighbors nearest_neighbors(const Tensor& x_in, std::int64_t k) {
  const Tensor x = check_rows("nearest_neighbors", x_in);
  if (k < 1) fail("nearest_neighbors", "expected k >= 1, got ", k);
  const std::int64_t n = x.size(0);
  const std::vector<float> lengths = squared_lengths(x);
  Neighbors result;
  result.k = std::min(k, n - 1);
  result.row.resize(n * result.k);
  result.squared.resize(n * result.k);
  if (result.k == 0) return result;
  for_each_product_row(x, x, [&](std::int64_t i, const float* dot) {
    std::vector<std::pair<float, std::int64_t>> best;  // a heap, the farthest on top
    for (std::int64_t j = 0; j < n; ++j) {
      if (j == i) continue;
      const std::pair<float, std::int64_t> candidate{
          std::max(0.f, lengths[i] + lengths[j] - 2 * dot[j]), j};
      if (std::ssize(best) == result.k) {
        if (candidate >= best.front()) continue;
        std::pop_heap(best.begin(), best.end());
        best.pop_back();
      }
      best.push_back(candidate);
      std::push_heap(best.begin(), best.end());
    }
    std::sort_heap(best.begin(), best.end());
    for (std::int64_t r = 0; r < result.k; ++r) {
      result.squared[i * result.k + r] = best[r].first;
      result.row[i * result.k + r] = best[r].second;
    }
  });
  return result;
}

std::vector<double> typicality_of(const Neighbors& neighbors) {
  if (neighbors.k == 0) return std::vector<double>(1, kNotApplicable);
  std::vector<double> result;
  for (std::size_t i = 0; i < neighbors.squared.size(); i += neighbors.k) {
    double sum = 0;
    for (std::int64_t r = 0; r < neighbors.k; ++r) sum += std::sqrt(neighbors.squared[i + r]);
    result.push_back(sum / static_cast<double>(neighbors.k));
  }
  const double median = applicable_quantile(result, .5);
  for (double& d : result) d = median > 0 ? std::exp(-d / median) : (d > 0 ? 0.0 : 1.0);
  return result;
}

std::vector<double> novelty_of(const Tensor& x, std::span<const std::int64_t> among) {
  const Tensor unit = unit_rows(x);
  const std::int64_t d = x.size(1);
  Tensor others = empty({std::max<std::int64_t>(1, std::ssize(among)), d});
  for (std::int64_t r = 0; r < std::ssize(among); ++r) {
    std::copy_n(unit.data<float>() + among[r] * d, d, others.data<float>() + r * d);
  }
  std::vector<double> result(x.size(0), kNotApplicable);
  if (among.empty()) return result;
  for_each_product_row(unit, others, [&](std::int64_t i, const float* cosine) {
    float most = -2;
    for (std::int64_t r = 0; r < std::ssize(among); ++r) {
      if (among[r] != i) most = std::max(most, cosine[r]);
    }
    if (most > -2) result[i] = std::clamp(1 - double(most), 0.0, 1.0);
  });
  return result;
}

std::vector<std::int64_t> kmeans_clusters(const Tensor& x_in, std::int64_t k, std::uint64_t seed,
                                          int iterations) {
  const Tensor x = check_rows("kmeans_clusters", x_in);
  if (k < 1) fail("kmeans_clusters", "expected k >= 1, got ", k);
  const std::int64_t n = x.size(0), d = x.size(1);
  k = std::min(k, n);
  Generator random(seed);
  Tensor centres = empty({k, d});
  std::vector<double> distance(n, std::numeric_limits<double>::infinity());
  auto set_centre = [&](std::int64_t c, std::int64_t row) {
    const float* from = x.data<float>() + row * d;
    std::copy_n(from, d, centres.data<float>() + c * d);
    for (std::int64_t i = 0; i < n; ++i) {
      double sum = 0;
      for (std::int64_t j = 0; j < d; ++j) {
        const double gap = x.data<float>()[i * d + j] - from[j];
        sum += gap * gap;
      }
      distance[i] = std::min(distance[i], sum);
    }
  };
  set_centre(0, random.next_below(n));
  for (std::int64_t c = 1; c < k; ++c) {
    double sum = 0;
    for (double one : distance) sum += one;
    double left = random.next_uniform() * sum;
    std::int64_t row = 0;
    while (row + 1 < n && (left -= distance[row]) >= 0) ++row;
    set_centre(c, row);
  }
  std::vector<std::int64_t> cluster(n, -1);
  for (int round = 0; round < iterations; ++round) {
    const std::vector<float> lengths = squared_lengths(centres);
    std::vector<std::int64_t> next(n);
    for_each_product_row(x, centres, [&](std::int64_t i, const float* dot) {
      std::int64_t best = 0;
      for (std::int64_t c = 1; c < k; ++c) {
        if (lengths[c] - 2 * dot[c] < lengths[best] - 2 * dot[best]) best = c;
      }
      next[i] = best;
    });
    if (next == cluster) break;
    cluster = std::move(next);
    std::vector<double> sum(k * d), count(k);
    for (std::int64_t i = 0; i < n; ++i) {
      ++count[cluster[i]];
      for (std::int64_t j = 0; j < d; ++j) sum[cluster[i] * d + j] += x.data<float>()[i * d + j];
    }
    for (std::int64_t c = 0; c < k; ++c) {
      if (count[c] == 0) continue;  // an empty cluster keeps its centre
      for (std::int64_t j = 0; j < d; ++j) {
        centres.data<float>()[c * d + j] = static_cast<float>(sum[c * d + j] / count[c]);
      }
    }
  }
  return cluster;
}

}  // namespace athanor::distill
