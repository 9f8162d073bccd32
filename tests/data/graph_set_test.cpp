#include "data/graph_set.h"

#include <catch2/catch.hpp>

#include "tensor/base/error.h"

using namespace athanor;
using namespace athanor::data;

namespace {

const std::string kHead = "node\tlabel\tsplit\tfeature_indices\n";
const std::string kNodes = kHead + "0\t1\ttrain\t0 2\n1\t0\tval\t\n2\t1\ttest\t1\n3\t0\tnone\t2\n";

GraphSet parse(const std::string& nodes, const std::string& edges, const Limits& limits = {}) {
  return parse_graph_set(nodes, edges, "nodes.tsv", "edges.tsv", limits);
}

using Numbers = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("a graph is read from its two tables") {
  const GraphSet set = parse(kNodes, "0\t1\r\n3\t2\n");
  CHECK(set.features.shape() == Shape{4, 3});
  CHECK(set.features.to_vector<float>() == std::vector<float>{1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1});
  CHECK(set.labels.to_vector<std::int64_t>() == Numbers{1, 0, 1, 0});
  CHECK(set.classes == 2);
  CHECK(set.train.to_vector<std::int64_t>() == Numbers{0});
  CHECK(set.validation.to_vector<std::int64_t>() == Numbers{1});
  CHECK(set.test.to_vector<std::int64_t>() == Numbers{2});
  CHECK(set.row.to_vector<std::int64_t>() == Numbers{0, 3});
  CHECK(set.column.to_vector<std::int64_t>() == Numbers{1, 2});
  CHECK(parse(kNodes, "").row.numel() == 0);
}

TEST_CASE("a malformed graph names file, line and field") {
  const auto refused = [](const std::string& nodes, const std::string& edges,
                          const std::string& message, const Limits& limits = {}) {
    INFO(message);
    CHECK_THROWS_WITH(parse(nodes, edges, limits), Catch::Contains(message));
    try {
      parse(nodes, edges, limits);
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::bad_input);
    }
  };
  refused("", "", "nodes.tsv: line 0, header");
  refused("id\tlabel\n", "", "nodes.tsv: line 1, header: expected \"node\tlabel");
  refused(kHead, "", "expected at least one");
  refused(kHead + "1\t0\ttrain\t\n", "", "nodes.tsv: line 2, node: expected 0");
  refused(kHead + "0\t-1\ttrain\t\n", "", "line 2, label: expected a number");
  refused(kHead + "0\t0\tdev\t\n", "", "line 2, split: expected train, val, test or none");
  refused(kHead + "0\t0\ttrain\t1 x\n", "", "line 2, feature_indices");
  refused(kHead + "0\t0\ttrain\t99999999999999999999\n", "", "line 2, feature_indices");
  refused(kNodes, "0\t1\n0\t4\n", "edges.tsv: line 2, second node: expected a number in [0, 4)");
  refused(kNodes, "0\n", "edges.tsv: line 1, second node");
  refused(kNodes, "0\t1\t2\n", "edges.tsv: line 1, second node");
  Limits small;
  small.max_bytes = 47;
  refused(kNodes, "", "features: expected at most 47 bytes", small);
}
