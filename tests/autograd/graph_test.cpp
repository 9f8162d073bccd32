#include "autograd/graph.h"

#include <catch2/catch.hpp>

#include "autograd/ops.h"

using namespace athanor;

TEST_CASE("a graph in words") {
  const Variable w(ones({3, 2}), true), b(ones({3}), true);
  const Variable x(ones({4, 2}));
  const Variable loss = mean(relu(linear(x, w, b)));
  CHECK(graph_text(loss, {{"fc.weight", w}, {"fc.bias", b}}) ==
        "%0 = leaf fc.weight [3, 2] f32\n"
        "%1 = leaf fc.bias [3] f32\n"
        "%2 = linear(const [4, 2] f32, %0 [3, 2] f32, %1 [3] f32)\n"
        "%3 = relu(%2 [4, 3] f32)\n"
        "%4 = mean(%3 [4, 3] f32)\n"
        "return %4 [] f32\n");
}

TEST_CASE("a graph for Graphviz") {
  const Variable x(ones({2}), true);
  CHECK(graph_dot(x * x, {{"a \"b\"", x}}) ==
        "digraph athanor {\n"
        "  rankdir=TB;\n"
        "  n0 [shape=box, label=\"leaf a \\\"b\\\" [2] f32\"];\n"
        "  n1 [label=\"mul\"];\n"
        "  n0 -> n1 [label=\"[2] f32\"];\n"
        "  n0 -> n1 [label=\"[2] f32\"];\n"
        "}\n");
}

TEST_CASE("graphs of a constant, of a leaf, and of a long chain") {
  CHECK(graph_text(Variable(ones({2}))) == "return const [2] f32\n");
  const Variable x(ones({2}), true);
  CHECK(graph_text(x) == "%0 = leaf [2] f32\nreturn %0 [2] f32\n");
  Variable y = x;
  for (int i = 0; i < 100'000; ++i) y = y + 1.0;
  const std::string text = graph_text(y);
  CHECK(text.ends_with("return %100000 [2] f32\n"));
}
