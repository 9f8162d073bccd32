#include "distill/restructure/layout.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "distill/restructure/dbscan.h"
#include "distill/restructure/pca.h"
#include "tensor/base/parallel.h"
#include "tensor/io/atomic_file.h"
#include "tensor/ops.h"
#include "tensor/random.h"

namespace athanor::distill {
namespace {

constexpr std::int64_t kLayoutNeighbours = 15;
constexpr std::int64_t kLayoutGrain = 32;

// t-SNE by plain gradient descent with momentum; P is 1 / (pairs) on each directed neighbour pair,
// made symmetric.
class Embedding {
 public:
  Embedding(std::vector<double> start, const Neighbours& neighbours)
      : y_(std::move(start)), n_(static_cast<std::int64_t>(y_.size()) / 2), velocity_(y_.size()) {
    attracted_.resize(static_cast<std::size_t>(n_));
    const auto k = static_cast<std::size_t>(neighbours.k);
    for (std::size_t s = 0; s < neighbours.index.size(); ++s) {
      const auto i = s / k, j = static_cast<std::size_t>(neighbours.index[s]);
      attracted_[i].push_back(static_cast<std::int64_t>(j));
      attracted_[j].push_back(static_cast<std::int64_t>(i));
    }
    weight_ = 0.5 / static_cast<double>(neighbours.index.size());
  }

  void step(double exaggeration, double momentum) {
    std::vector<double> push(y_.size()), normaliser(static_cast<std::size_t>(n_));
    parallel_for(n_, kLayoutGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) repel(i, push, normaliser);
    });
    double total = 0;
    for (double part : normaliser) total += part;
    // The usual rate n / exaggeration, relative to gradients that sum to order one.
    const double rate = std::max(static_cast<double>(n_) / 12, 20.0) * 4;
    for (std::int64_t i = 0; i < n_; ++i) {
      double pull[2] = {0, 0};
      for (std::int64_t j : attracted_[static_cast<std::size_t>(i)]) {
        const double dx = at(i, 0) - at(j, 0), dy = at(i, 1) - at(j, 1);
        const double q = exaggeration * weight_ / (1 + dx * dx + dy * dy);
        pull[0] += q * dx;
        pull[1] += q * dy;
      }
      for (std::size_t axis = 0; axis < 2; ++axis) {
        const std::size_t s = static_cast<std::size_t>(2 * i) + axis;
        const double gradient = pull[axis] - push[s] / total;
        velocity_[s] = momentum * velocity_[s] - rate * gradient;
      }
    }
    for (std::size_t s = 0; s < y_.size(); ++s) y_[s] += velocity_[s];
  }
  const std::vector<double>& positions() const { return y_; }

 private:
  double at(std::int64_t i, std::int64_t axis) const {
    return y_[static_cast<std::size_t>(2 * i + axis)];
  }
  void repel(std::int64_t i, std::vector<double>& push, std::vector<double>& normaliser) const {
    double x = 0, y = 0, sum = -1;  // the pair (i, i) is no pair
    for (std::int64_t j = 0; j < n_; ++j) {
      const double dx = at(i, 0) - at(j, 0), dy = at(i, 1) - at(j, 1);
      const double q = 1 / (1 + dx * dx + dy * dy);
      sum += q;
      x += q * q * dx;
      y += q * q * dy;
    }
    push[static_cast<std::size_t>(2 * i)] = x;
    push[static_cast<std::size_t>(2 * i + 1)] = y;
    normaliser[static_cast<std::size_t>(i)] = sum;
  }

  std::vector<double> y_;  // x, y of each point in turn
  std::int64_t n_;
  std::vector<double> velocity_;
  std::vector<std::vector<std::int64_t>> attracted_;
  double weight_ = 0;
};

std::vector<std::int64_t> choose(std::int64_t n, std::int64_t count, std::uint64_t seed) {
  Generator generator(seed);
  std::vector<std::int64_t> rows = random_permutation(n, generator).to_vector<std::int64_t>();
  rows.resize(static_cast<std::size_t>(std::min(n, count)));
  std::sort(rows.begin(), rows.end());
  return rows;
}

// First two principal components with deviation 1e-2, a small start as t-SNE wants it.
std::vector<double> start_positions(const Tensor& units) {
  const Pca pca = fit_pca(units, std::min<std::int64_t>(2, units.size(1)));
  const Tensor flat = project(pca, units);
  const double scale = 1e-2 / std::max(std::sqrt(std::max(pca.variances[0], 0.0)), 1e-12);
  const std::int64_t n = flat.size(0), m = flat.size(1);
  std::vector<double> out(static_cast<std::size_t>(2 * n), 0.0);
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t axis = 0; axis < m; ++axis) {
      out[static_cast<std::size_t>(2 * i + axis)] = scale * flat.data<float>()[i * m + axis];
    }
  }
  return out;
}

}  // namespace

Layout layout_units(const Tensor& embeddings, const std::vector<GraphEdge>& edges,
                    const LayoutOptions& options) {
  if (options.nodes < 3 || embeddings.rank() != 2 || embeddings.size(0) < 3) {
    fail("layout_units", "expected at least 3 nodes and units [n, d] f32, got ", options.nodes,
         " and ", describe(embeddings));
  }
  const std::int64_t n = embeddings.size(0);
  const std::vector<std::int64_t> chosen = choose(n, options.nodes, options.seed);
  const Tensor units = take_rows(embeddings, chosen);
  const auto count = static_cast<std::int64_t>(chosen.size());
  const KnnGraph graph = knn_graph(units, std::min(kLayoutNeighbours, count - 1), Metric::cosine);
  Embedding embedding(start_positions(units), graph.neighbours);
  const int early = options.iterations / 3;
  for (int i = 0; i < options.iterations; ++i) {
    embedding.step(i < early ? 12 : 1, i < early ? 0.5 : 0.8);
  }

  const std::vector<double>& y = embedding.positions();
  double low[2] = {y[0], y[1]}, high[2] = {y[0], y[1]};
  for (std::size_t s = 0; s < y.size(); ++s) {
    low[s % 2] = std::min(low[s % 2], y[s]);
    high[s % 2] = std::max(high[s % 2], y[s]);
  }
  const double half = std::max({high[0] - low[0], high[1] - low[1], 1e-12}) / 2;
  Layout layout;
  std::vector<std::int32_t> place(static_cast<std::size_t>(n), -1);
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    place[static_cast<std::size_t>(chosen[i])] = static_cast<std::int32_t>(i);
    layout.nodes.push_back({chosen[i],
                            static_cast<float>((y[2 * i] - (low[0] + high[0]) / 2) / half),
                            static_cast<float>((y[2 * i + 1] - (low[1] + high[1]) / 2) / half)});
  }
  for (const GraphEdge& edge : edges) {
    const std::int32_t i = place[static_cast<std::size_t>(edge.i)];
    const std::int32_t j = place[static_cast<std::size_t>(edge.j)];
    if (i >= 0 && j >= 0) layout.edges.push_back({i, j, edge.weight});
  }
  return layout;
}

void write_graph_json(const std::filesystem::path& path, const Layout& layout,
                      const std::vector<std::int32_t>& clusters,
                      const std::vector<std::int64_t>& labels) {
  // Four digits are finer than any picture; a double made from a float would print seventeen.
  const auto rounded = [](float value) { return std::round(value * 1e4) / 1e4; };
  nlohmann::json nodes = nlohmann::json::array(), edges = nlohmann::json::array();
  for (const LayoutNode& node : layout.nodes) {
    const auto unit = static_cast<std::size_t>(node.unit);
    nlohmann::json item = {
        {"x", rounded(node.x)}, {"y", rounded(node.y)}, {"cluster", clusters.at(unit)}};
    if (!labels.empty()) item["label"] = labels.at(unit);
    nodes.push_back(std::move(item));
  }
  for (const GraphEdge& edge : layout.edges) {
    edges.push_back({edge.i, edge.j, rounded(edge.weight)});
  }
  const Clustering all = make_clustering(clusters);
  const nlohmann::json graph = {{"nodes", std::move(nodes)},
                                {"edges", std::move(edges)},
                                {"clusters", all.clusters},
                                {"noise", all.noise}};
  write_file_atomically(path, graph.dump() + "\n");
}

}  // namespace athanor::distill
