#include "distill/restructure/dbscan.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "distill/restructure/kd_tree.h"
#include "tensor/base/parallel.h"

namespace athanor::distill {
namespace {

constexpr std::int64_t kGrain = 64;

float knee_radius(const KdTree& tree, std::int64_t min_points) {
  const std::int64_t n = tree.size();
  std::vector<float> distances(static_cast<std::size_t>(n));
  const std::int64_t k = std::clamp<std::int64_t>(min_points - 1, 1, n - 1);
  parallel_for(n, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      distances[static_cast<std::size_t>(i)] = tree.kth_distance(i, k);
    }
  });
  std::sort(distances.begin(), distances.end());
  return distances[knee(distances)];
}

// Root of i in a forest whose roots are the lowest index of their tree.
std::int32_t root(std::vector<std::int32_t>& parent, std::int32_t i) {
  while (parent[static_cast<std::size_t>(i)] != i) {
    auto& up = parent[static_cast<std::size_t>(i)];
    up = parent[static_cast<std::size_t>(up)];
    i = up;
  }
  return i;
}

void join(std::vector<std::int32_t>& parent, std::int32_t a, std::int32_t b) {
  a = root(parent, a);
  b = root(parent, b);
  parent[static_cast<std::size_t>(std::max(a, b))] = std::min(a, b);
}

double entropy(const std::map<std::int64_t, double>& counts, double n) {
  double sum = 0;
  for (const auto& [value, count] : counts) sum -= count / n * std::log(count / n);
  return sum;
}

}  // namespace

std::size_t knee(const std::vector<float>& rising) {
  if (rising.empty()) fail("knee", "expected a value, got none");
  const double first = rising.front(), range = rising.back() - first;
  const double steps = static_cast<double>(std::max<std::size_t>(rising.size() - 1, 1));
  std::size_t best = rising.size() - 1;
  double farthest = 0;
  for (std::size_t i = 0; i < rising.size() && range > 0; ++i) {
    const double below = static_cast<double>(i) / steps - (rising[i] - first) / range;
    if (below > farthest) {
      farthest = below;
      best = i;
    }
  }
  return best;
}

Clustering make_clustering(std::vector<std::int32_t> labels) {
  Clustering out;
  std::map<std::int32_t, std::int64_t> sizes;
  for (std::int32_t label : labels) {
    if (label < 0) {
      ++out.noise;
    } else {
      out.biggest = std::max(out.biggest, ++sizes[label]);
    }
  }
  out.clusters = static_cast<std::int32_t>(sizes.size());
  out.labels = std::move(labels);
  return out;
}

DbscanResult dbscan(const Tensor& points, const DbscanOptions& options) {
  const KdTree tree(points);
  const std::int64_t n = tree.size();
  if (!(options.eps >= 0)) fail("dbscan", "expected eps >= 0, got ", options.eps);
  if (options.min_points < 0) {
    fail("dbscan", "expected min_points >= 0, got ", options.min_points);
  }
  DbscanResult result;
  const auto usual = static_cast<std::int64_t>(std::ceil(std::log(static_cast<double>(n))));
  result.min_points =
      options.min_points > 0 ? options.min_points : std::max<std::int64_t>(4, usual);
  result.eps = options.eps > 0 || n == 1 ? options.eps : knee_radius(tree, result.min_points);

  std::vector<char> core(static_cast<std::size_t>(n));
  parallel_for(n, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const auto count = static_cast<std::int64_t>(tree.within(i, result.eps).size());
      core[static_cast<std::size_t>(i)] = count >= result.min_points;
    }
  });

  std::vector<std::int32_t> parent(static_cast<std::size_t>(n));
  std::iota(parent.begin(), parent.end(), 0);
  std::vector<std::int32_t> anchor(static_cast<std::size_t>(n), -1);  // nearest core of a border
  std::vector<std::vector<std::int32_t>> near(static_cast<std::size_t>(kGrain));
  for (std::int64_t begin = 0; begin < n; begin += kGrain) {
    const std::int64_t rows = std::min(kGrain, n - begin);
    parallel_for(rows, 8, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t r = first; r < last; ++r) {
        near[static_cast<std::size_t>(r)] = tree.within(begin + r, result.eps);
      }
    });
    for (std::int64_t r = 0; r < rows; ++r) {
      const auto i = static_cast<std::int32_t>(begin + r);
      float closest = 0;
      for (std::int32_t j : near[static_cast<std::size_t>(r)]) {
        if (!core[static_cast<std::size_t>(j)]) continue;
        if (core[static_cast<std::size_t>(i)]) {
          join(parent, i, j);
          continue;
        }
        const float distance = tree.distance(i, j);
        auto& best = anchor[static_cast<std::size_t>(i)];
        if (best < 0 || distance < closest) {
          best = j;
          closest = distance;
        }
      }
    }
  }

  // Cores first: roots are the lowest core of their cluster, so numbers rise with it.
  std::vector<std::int32_t> labels(static_cast<std::size_t>(n), -1);
  std::int32_t clusters = 0;
  for (std::int32_t i = 0; i < n; ++i) {
    if (!core[static_cast<std::size_t>(i)]) continue;
    const std::int32_t top = root(parent, i);
    if (top == i) labels[static_cast<std::size_t>(i)] = clusters++;
    labels[static_cast<std::size_t>(i)] = labels[static_cast<std::size_t>(top)];
  }
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (anchor[i] >= 0) labels[i] = labels[static_cast<std::size_t>(anchor[i])];
  }
  result.clustering = make_clustering(std::move(labels));
  result.degenerate = 2 * result.clustering.biggest > n || 2 * result.clustering.noise > n;
  return result;
}

ClusterQuality cluster_quality(const std::vector<std::int32_t>& labels,
                               const std::vector<std::int64_t>& classes) {
  if (labels.size() != classes.size() || labels.empty()) {
    fail("cluster_quality", "expected as many classes as labels, got ", classes.size(), " and ",
         labels.size());
  }
  std::map<std::int64_t, double> by_label, by_class;
  std::map<std::pair<std::int64_t, std::int64_t>, double> both;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    ++by_label[labels[i]];
    ++by_class[classes[i]];
    ++both[{labels[i], classes[i]}];
  }
  std::map<std::int64_t, double> majority;
  double information = 0;
  const double n = static_cast<double>(labels.size());
  for (const auto& [pair, count] : both) {
    majority[pair.first] = std::max(majority[pair.first], count);
    information += count / n * std::log(count * n / (by_label[pair.first] * by_class[pair.second]));
  }
  double clustered = 0, right = 0;
  for (const auto& [label, count] : by_label) {
    if (label < 0) continue;
    clustered += count;
    right += majority[label];
  }
  const double entropies = entropy(by_label, n) + entropy(by_class, n);
  ClusterQuality quality;
  quality.purity = clustered > 0 ? right / clustered : 0;
  // One cluster and one class agree perfectly although there is nothing to know.
  quality.nmi = entropies > 0 ? 2 * information / entropies : 1;
  return quality;
}

}  // namespace athanor::distill
