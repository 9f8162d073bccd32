#include "data/graph_files.h"

#include <catch2/catch.hpp>

#include "tests/io/scratch.h"

using namespace athanor;
using namespace athanor::data;
using athanor::test::error_of;

TEST_CASE("graphs are read from a table of nodes and one of edges") {
  const test::ScratchDirectory scratch;
  const auto nodes = scratch.path() / "nodes.tsv", edges = scratch.path() / "edges.tsv";
  test::spill(
      nodes,
      "node\tlabel\tsplit\tfeature_indices\np\tred\ttrain\t0 3\nq\tblue\ttest\t1\nr\t\t\t\n");
  test::spill(edges, "source\ttarget\np\tq\nq\tr\n");
  const GraphData graph = load_graph(nodes, edges);
  CHECK(graph.nodes == 3);
  CHECK(graph.row.to_vector<std::int64_t>() == std::vector<std::int64_t>{0, 1});
  CHECK(graph.column.to_vector<std::int64_t>() == std::vector<std::int64_t>{1, 2});
  CHECK(graph.features.shape() == Shape{3, 4});
  CHECK(graph.features.to_vector<float>() ==
        std::vector<float>{1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0});
  CHECK(graph.class_names == std::vector<std::string>{"blue", "red"});
  CHECK(graph.labels.to_vector<std::int64_t>() == std::vector<std::int64_t>{1, 0, -1});
  CHECK(graph.splits.at("test") == std::vector<std::int64_t>{1});
  test::spill(edges, "p\tq\nq\tz\n");
  CHECK_THAT(error_of([&] { load_graph(nodes, edges); }).what(),
             Catch::Contains("line 2: edge: expected ids of nodes, found \"z\""));
}

TEST_CASE("numbers as labels and features") {
  const test::ScratchDirectory scratch;
  const auto nodes = scratch.path() / "nodes.csv", edges = scratch.path() / "edges.csv";
  test::spill(nodes, "node,label,split,features\n1,2,a,0.5 -1\n2,0,a,3 4\n");
  test::spill(edges, "1,2\n");
  const GraphData graph = load_graph(nodes, edges);
  CHECK(graph.class_names.size() == 3);
  CHECK(graph.labels.to_vector<std::int64_t>() == std::vector<std::int64_t>{2, 0});
  CHECK(graph.features.to_vector<float>() == std::vector<float>{0.5f, -1, 3, 4});
  test::spill(nodes, "node,label,split,features\n1,2,a,0.5 -1\n2,0,a,3\n");
  CHECK_THAT(error_of([&] { load_graph(nodes, edges); }).what(),
             Catch::Contains("line 3: features: expected 2 numbers as in the first node"));
  test::spill(nodes, "node,label,split,features\n1,2,a,0.5\n1,0,a,3\n");
  CHECK_THAT(error_of([&] { load_graph(nodes, edges); }).what(),
             Catch::Contains("line 3: id: expected each once, found \"1\""));
}
