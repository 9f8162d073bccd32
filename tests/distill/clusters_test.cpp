#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "distill/restructure/dbscan.h"
#include "distill/restructure/kd_tree.h"
#include "distill/restructure/kmeans.h"
#include "distill/restructure/knn_graph.h"
#include "tensor/base/error.h"
#include "tensor/base/parallel.h"
#include "tensor/ops.h"
#include "tensor/random.h"

using namespace athanor;
using namespace athanor::distill;

namespace {

// `groups` blobs of deviation 0.1 whose centres lie on a grid of step 3, and uniform points
// between.
Tensor blobs(std::int64_t n, std::int64_t d, std::int64_t groups, std::uint64_t seed,
             std::vector<std::int64_t>* classes = nullptr) {
  Generator generator(seed);
  std::vector<float> values;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t group = i % (groups + 1);
    if (classes) classes->push_back(group);
    for (std::int64_t j = 0; j < d; ++j) {
      const double centre = 3.0 * static_cast<double>((group >> (j % 4)) % 2 + (j < 2 ? group : 0));
      values.push_back(static_cast<float>(group < groups ? centre + 0.1 * generator.next_normal()
                                                         : 12 * generator.next_uniform()));
    }
  }
  return from_values(values, {n, d});
}

// DBSCAN straight from its definition, with the same border rule.
std::vector<std::int32_t> brute_force(const Tensor& points, float eps, std::size_t min_points) {
  const KdTree distances(points);  // only its distance() is used
  const std::int64_t n = points.size(0);
  std::vector<std::vector<std::int64_t>> near(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      const float distance = distances.distance(i, j);
      if (distance * distance <= eps * eps) near[static_cast<std::size_t>(i)].push_back(j);
    }
  }
  const auto core = [&](std::int64_t i) {
    return near[static_cast<std::size_t>(i)].size() >= min_points;
  };
  std::vector<std::int32_t> labels(static_cast<std::size_t>(n), -1);
  std::int32_t next = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    if (!core(i) || labels[static_cast<std::size_t>(i)] >= 0) continue;
    std::vector<std::int64_t> stack = {i};
    labels[static_cast<std::size_t>(i)] = next;
    while (!stack.empty()) {
      const auto at = static_cast<std::size_t>(stack.back());
      stack.pop_back();
      for (std::int64_t j : near[at]) {
        if (!core(j) || labels[static_cast<std::size_t>(j)] >= 0) continue;
        labels[static_cast<std::size_t>(j)] = next;
        stack.push_back(j);
      }
    }
    ++next;
  }
  for (std::int64_t i = 0; i < n; ++i) {
    float closest = 1e30f;
    for (std::int64_t j : near[static_cast<std::size_t>(i)]) {
      if (core(i) || !core(j) || distances.distance(i, j) >= closest) continue;
      closest = distances.distance(i, j);
      labels[static_cast<std::size_t>(i)] = labels[static_cast<std::size_t>(j)];
    }
  }
  return labels;
}

}  // namespace

TEST_CASE("dbscan equals its definition on random sets", "[dbscan]") {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    const std::int64_t d = std::int64_t{1} + static_cast<std::int64_t>(seed * 3 % 40);
    Generator generator(seed);
    const Tensor points = seed % 2 ? blobs(300, d, 4, seed) : random_uniform({300, d}, generator);
    for (float quantile : {0.02f, 0.1f}) {
      // A radius that takes in about this share of the points.
      std::vector<float> all;
      const KdTree tree(points);
      for (std::int64_t i = 1; i < 300; ++i) all.push_back(tree.distance(0, i));
      std::sort(all.begin(), all.end());
      const float eps = all[static_cast<std::size_t>(quantile * 299)];
      const DbscanResult result = dbscan(points, {eps, 5});
      CHECK(result.clustering.labels == brute_force(points, eps, 5));
    }
  }
}

TEST_CASE("the tree's distances to the k-th neighbour are exact", "[dbscan]") {
  for (std::int64_t d : {2, 16, 33}) {
    Generator generator(7);
    const Tensor points = random_normal({400, d}, generator);
    const KdTree tree(points);
    for (std::int64_t i = 0; i < 400; i += 37) {
      std::vector<float> all;
      for (std::int64_t j = 0; j < 400; ++j) {
        if (j != i) all.push_back(tree.distance(i, j));
      }
      std::sort(all.begin(), all.end());
      CHECK(tree.kth_distance(i, 1) == all[0]);
      CHECK(tree.kth_distance(i, 9) == all[8]);
    }
  }
  const Tensor same = zeros({50, 3});  // no axis to split at
  CHECK(KdTree(same).within(3, 0).size() == 50);
}

TEST_CASE("the knee finds separated blobs by itself", "[dbscan]") {
  std::vector<std::int64_t> classes;
  const Tensor points = blobs(900, 2, 4, 3, &classes);
  const DbscanResult result = dbscan(points);
  CHECK(result.min_points == 7);  // ceil ln 900
  CHECK_FALSE(result.degenerate);
  CHECK(result.clustering.noise > 50);
  CHECK(cluster_quality(result.clustering.labels, classes).purity > 0.95);
  CHECK(result.clustering.labels == dbscan(points).clustering.labels);
}

TEST_CASE("one lump and nothing but noise are degenerate", "[dbscan]") {
  Generator generator(1);
  const Tensor lump = random_normal({200, 2}, generator);
  CHECK(dbscan(lump, {10, 0}).degenerate);
  CHECK(dbscan(lump, {1e-6f, 0}).degenerate);
  CHECK(dbscan(lump, {1e-6f, 0}).clustering.noise == 200);
  CHECK(dbscan(zeros({1, 2})).clustering.noise == 1);
  CHECK_THROWS_AS(dbscan(lump, {-1, 0}), Error);
  CHECK_THROWS_AS(dbscan(zeros({3})), Error);
}

TEST_CASE("knee of a curve", "[dbscan]") {
  CHECK(knee({0, 0, 0, 0, 1, 2}) == 3);
  CHECK(knee({1, 1, 1}) == 2);  // flat: no knee, the last
  CHECK_THROWS_AS(knee({}), Error);
}

TEST_CASE("purity and mutual information by hand", "[dbscan]") {
  const ClusterQuality same = cluster_quality({0, 0, 1, 1}, {5, 5, 7, 7});
  CHECK(same.purity == 1);
  CHECK(same.nmi == Approx(1));
  const ClusterQuality none = cluster_quality({0, 1, 0, 1}, {5, 5, 7, 7});
  CHECK(none.purity == 0.5);
  CHECK(none.nmi == Approx(0).margin(1e-12));
  CHECK(cluster_quality({0, 0, -1}, {1, 1, 2}).purity == 1);  // noise is no cluster
  CHECK_THROWS_AS(cluster_quality({0}, {}), Error);
}

TEST_CASE("k-means finds blobs, whatever the threads", "[kmeans]") {
  std::vector<std::int64_t> classes;
  Generator generator(2);
  std::vector<float> values;
  for (std::int64_t i = 0; i < 600; ++i) {
    classes.push_back(i % 5);
    values.push_back(static_cast<float>(4 * (i % 5) + 0.3 * generator.next_normal()));
    values.push_back(static_cast<float>(0.3 * generator.next_normal()));
  }
  const Tensor points = from_values(values, {600, 2});
  const KmeansResult result = kmeans(points, {5, 4, 50, 9});
  CHECK(cluster_quality(result.labels, classes).nmi == Approx(1));
  CHECK(result.inertia == Approx(600 * 2 * 0.09).epsilon(0.2));  // two sigma^2 a point
  const int threads = num_threads();
  set_num_threads(threads == 1 ? 2 : 1);
  CHECK(kmeans(points, {5, 4, 50, 9}).labels == result.labels);
  set_num_threads(threads);
  CHECK(kmeans(zeros({4, 2}), {4, 1, 5, 0}).inertia == 0);  // equal points
  CHECK_THROWS_AS(kmeans(points, {601, 1, 1, 0}), Error);
}

TEST_CASE(
    "k-means gives each point its nearest centre, at any scale and where two are equally near") {
  Generator generator(5);
  for (const double scale : {0., 1e-25, 1., 1e25}) {
    std::vector<float> values;
    for (int i = 0; i < 200 * 40; ++i) {
      // Few different values: many equal distances.
      const double draw = std::round(4 * generator.next_uniform());
      values.push_back(static_cast<float>(scale == 0 ? draw : scale * generator.next_normal()));
    }
    const Tensor points = from_values(values, {200, 40});
    const KmeansResult result = kmeans(points, {200, 1, 2, 3});  // each point is a centre
    CHECK(result.inertia == 0);
    const KmeansResult few = kmeans(points, {7, 1, 100, 3});
    const std::vector<float> centres = few.centres.to_vector<float>();
    double inertia = 0;
    for (int i = 0; i < 200; ++i) {
      std::array<double, 7> square{};
      for (int c = 0; c < 7; ++c) {
        for (int j = 0; j < 40; ++j) {
          square[c] += std::pow(double(values[i * 40 + j]) - centres[c * 40 + j], 2);
        }
      }
      const double least = *std::min_element(square.begin(), square.end());
      CHECK(square[few.labels[i]] <= least * (1 + 1e-5));  // centres are rounded
      inertia += least;
    }
    CHECK(few.inertia == Approx(inertia).epsilon(1e-5));
  }
}

TEST_CASE("neighbours equal a full sort; graph edges are mutual", "[knn_graph]") {
  Generator generator(4);
  const Tensor x = random_normal({300, 12}, generator);
  for (Metric metric : {Metric::cosine, Metric::euclidean}) {
    const KnnGraph graph = knn_graph(x, 6, metric);
    const Tensor unit = metric == Metric::cosine ? unit_rows(x) : x;
    const float* p = unit.data<float>();
    const auto distance = [&](std::int64_t i, std::int64_t j) {
      double sum = 0;
      for (std::int64_t a = 0; a < 12; ++a) {
        sum += std::pow(static_cast<double>(p[i * 12 + a]) - p[j * 12 + a], 2);
      }
      return metric == Metric::cosine ? sum / 2 : std::sqrt(sum);
    };
    std::vector<std::vector<std::int64_t>> expected(300);
    for (std::int64_t i = 0; i < 300; ++i) {
      std::vector<std::int64_t> order(300);
      std::iota(order.begin(), order.end(), std::int64_t{0});
      order.erase(order.begin() + i);
      std::sort(order.begin(), order.end(),
                [&](auto a, auto b) { return distance(i, a) < distance(i, b); });
      order.resize(6);
      expected[static_cast<std::size_t>(i)] = order;
      for (std::size_t s = 0; s < 6; ++s) {
        const auto at = static_cast<std::size_t>(i) * 6 + s;
        // f32 products of 12 terms of order 1: 1e-5 absolute.
        CHECK(graph.neighbours.distance[at] == Approx(distance(i, order[s])).margin(1e-4));
      }
    }
    const auto has = [&](std::int64_t i, std::int64_t j) {
      const auto& list = expected[static_cast<std::size_t>(i)];
      return std::find(list.begin(), list.end(), j) != list.end();
    };
    std::size_t mutual = 0;
    for (std::int64_t i = 0; i < 300; ++i) {
      for (std::int64_t j = i + 1; j < 300; ++j) mutual += has(i, j) && has(j, i);
    }
    CHECK(graph.edges.size() == mutual);
    for (const GraphEdge& edge : graph.edges) {
      CHECK(edge.i < edge.j);
      CHECK((has(edge.i, edge.j) && has(edge.j, edge.i)));
      CHECK((edge.weight >= 0 && edge.weight <= 1));
    }
  }
  CHECK_THROWS_AS(knn_graph(x, 300), Error);
}

// Up to 16 neighbours are sought by a bound, more by a sorted list.
TEST_CASE("few neighbours are the first of many, ties in the order of the units", "[knn_graph]") {
  Generator generator(5);
  for (const std::int64_t n : {127, 128, 131, 700}) {
    for (const std::int64_t values : {3, 40, 1000}) {  // few: nearly all distances are tied
      Tensor x = empty({n, 2});
      for (std::int64_t i = 0; i < 2 * n; ++i) {
        x.data<float>()[i] = static_cast<float>(1 + generator.next_below(values));
      }
      std::vector<std::int64_t> self(static_cast<std::size_t>(n));
      std::iota(self.begin(), self.end(), std::int64_t{0});
      for (const Metric metric : {Metric::cosine, Metric::euclidean}) {
        const Neighbours many = nearest(x, x, 20, metric, self);
        for (const std::int64_t k : {1, 10, 16}) {
          const Neighbours few = nearest(x, x, k, metric, self);
          bool same = true;
          for (std::int64_t i = 0; i < n * k; ++i) {
            const std::int64_t at = i / k * 20 + i % k;
            same = same && few.index[i] == many.index[at] && few.distance[i] == many.distance[at];
          }
          CHECK(same);
        }
      }
    }
  }
}
