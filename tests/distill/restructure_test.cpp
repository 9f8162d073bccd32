#include "distill/restructure/restructure.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "tensor/base/error.h"
#include "tensor/ops.h"
#include "tensor/random.h"
#include "tests/distill/temporary_directory.h"

using namespace athanor;
using namespace athanor::distill;
using Json = nlohmann::json;

namespace {

// Six groups in 16 dimensions, each stretched along its own line, with some units between.
Tensor groups(std::int64_t n, std::vector<std::int64_t>& labels) {
  Generator generator(11);
  const Tensor centres = random_normal({6, 16}, generator, 0, 3);
  const Tensor lines = random_normal({6, 16}, generator, 0, 0.5);
  std::vector<float> values;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t g = i % 6;
    labels.push_back(g);
    const double along = generator.next_normal();
    for (std::int64_t j = 0; j < 16; ++j) {
      values.push_back(static_cast<float>(centres.data<float>()[g * 16 + j] +
                                          along * lines.data<float>()[g * 16 + j] +
                                          0.1 * generator.next_normal()));
    }
  }
  return from_values(values, {n, 16});
}

RestructureOptions quick() {
  RestructureOptions options;
  options.autoencoder.epochs = 10;
  options.relations.epochs = 5;
  options.layout.iterations = 100;
  options.layout.nodes = 200;
  return options;
}

}  // namespace

TEST_CASE("restructuring separated groups", "[restructure]") {
  std::vector<std::int64_t> classes;
  const Tensor x = groups(600, classes);
  const Tensor labels = from_values(classes, {600});
  const RestructureResult result = restructure(x, labels, quick());
  CHECK(result.cluster_method == "dbscan");
  CHECK(result.clustering.clusters >= 6);
  CHECK(result.rows.size() == 2);
  CHECK(result.rows[0].quality->purity > 0.99);
  CHECK(result.compression_ratio() == 8);
  CHECK(result.codes.shape() == Shape{600, 2});
  CHECK(result.compression.fvu <= result.compression.pca_fvu * 1.05);
  CHECK(result.relations.attention.auc > 0.5);

  // Units of one group are more alike than those of two.
  for (RelationKind kind :
       {RelationKind::decoded, RelationKind::attention, RelationKind::blend, RelationKind::raw}) {
    const std::vector<float> r =
        result.relation_targets({0, 6, 12, 1, 7, 13}, kind).to_vector<float>();
    double inside = 0, between = 0;
    for (std::size_t i = 0; i < 6; ++i) {
      CHECK(r[i * 7] == Approx(1).margin(1e-5));
      for (std::size_t j = 0; j < 6; ++j) {
        CHECK(r[i * 6 + j] == Approx(r[j * 6 + i]).margin(1e-6));
        if (i != j) (i / 3 == j / 3 ? inside : between) += r[i * 6 + j];
      }
    }
    CHECK(inside / 12 > between / 18);
  }

  const RestructureResult again = restructure(x, labels, quick());
  CHECK(again.clustering.labels == result.clustering.labels);
  CHECK(again.codes.to_vector<float>() == result.codes.to_vector<float>());
  CHECK(again.relations.attention.auc == result.relations.attention.auc);
  CHECK(again.layout.nodes[7].x == result.layout.nodes[7].x);
}

TEST_CASE("groups lie apart in the picture", "[restructure]") {
  std::vector<std::int64_t> classes;
  const Tensor x = groups(300, classes);
  LayoutOptions options;
  options.nodes = 240;
  const Layout layout = layout_units(x, knn_graph(x).edges, options);
  REQUIRE(layout.nodes.size() == 240);
  int same = 0;
  for (const LayoutNode& node : layout.nodes) {
    CHECK((std::abs(node.x) <= 1 && std::abs(node.y) <= 1));
    double closest = std::numeric_limits<double>::infinity();
    std::int64_t other = -1;
    for (const LayoutNode& candidate : layout.nodes) {
      const double distance = std::hypot(node.x - candidate.x, node.y - candidate.y);
      if (candidate.unit != node.unit && distance < closest) {
        closest = distance;
        other = candidate.unit;
      }
    }
    same +=
        classes[static_cast<std::size_t>(node.unit)] == classes[static_cast<std::size_t>(other)];
  }
  CHECK(same > 230);  // the nearest drawn unit is of the same group
  for (const GraphEdge& edge : layout.edges) CHECK((edge.i < 240 && edge.j < 240));
}

TEST_CASE("one lump falls back to k-means and says so", "[restructure]") {
  Generator generator(3);
  const Tensor x = random_normal({200, 8}, generator);
  RestructureOptions options = quick();
  options.dbscan.eps = 10;  // all in one cluster
  const RestructureResult result = restructure(x, {}, options);
  CHECK(result.cluster_method == "kmeans");
  CHECK(result.rows[0].degenerate);
  CHECK(result.clustering.clusters == 4);  // 200 / 50
  CHECK_FALSE(result.rows[1].quality.has_value());
}

TEST_CASE("typed edges join the graph", "[restructure]") {
  std::vector<std::int64_t> classes;
  const Tensor x = groups(120, classes);
  RestructureOptions options = quick();
  options.typed_edges = {{0, 1, 0.5f}, {0, 3, 0.5f}};
  const auto plain = restructure(x, {}, quick()).graph.edges.size();
  CHECK(restructure(x, {}, options).graph.edges.size() == plain + 2);
  options.typed_edges = {{5, 5, 1}};
  CHECK_THROWS_AS(restructure(x, {}, options), Error);
}

TEST_CASE("the written files can be read back", "[restructure]") {
  const TemporaryDirectory dir;
  std::vector<std::int64_t> classes;
  const Tensor x = groups(300, classes);
  const Tensor labels = from_values(classes, {300});
  const RestructureResult result = restructure(x, labels, quick());
  write_restructure(dir.path(), result, labels);
  const Json graph = Json::parse(read_text(dir.path() / "graph.json"));
  CHECK(graph["nodes"].size() == 200);
  CHECK(graph["clusters"] == result.clustering.clusters);
  CHECK(graph["noise"] == result.clustering.noise);
  for (const Json& node : graph["nodes"]) CHECK(node["label"].is_number_integer());
  for (const Json& edge : graph["edges"]) CHECK(edge.size() == 3);
  const Json summary = Json::parse(read_text(dir.path() / "summary.json"));
  CHECK(summary["fvu"] == result.compression.fvu);
  CHECK(summary["relation_auc"] == result.relations.attention.auc);
  CHECK(read_text(dir.path() / "clusters.csv").rfind("row,cluster\n0,", 0) == 0);
}

TEST_CASE("bad embeddings are refused", "[restructure]") {
  CHECK_THROWS_AS(restructure(zeros({10, 4}), {}), Error);
  CHECK_THROWS_AS(restructure(zeros({100, 4}), zeros({99}, DType::i64)), Error);
  CHECK_THROWS_AS(restructure(full({100, 4}, std::nan("")), {}), Error);
  CHECK_THROWS_AS(relation_kind("gat"), Error);
}
