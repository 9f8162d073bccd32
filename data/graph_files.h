// Graphs as two tables: nodes and edges.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace athanor::data {

// A graph whose nodes have sparse binary features, a class and a split. Edges go from `row` to
// `column`, as nn::Graph takes them.
struct GraphData {
  std::int64_t nodes = 0;
  Tensor row, column;                                       // i64 [E], as the file has them
  Tensor features;                                          // f32 [nodes, F]
  Tensor labels;                                            // i64 [nodes]; -1 where there is none
  std::vector<std::string> class_names;                     // index = label
  std::map<std::string, std::vector<std::int64_t>> splits;  // node numbers by the split's name
};

struct GraphFileOptions {
  std::string id = "node", label = "label", split = "split";
  // Blank-separated places of ones, and blank-separated numbers, as many for each node. A node file
  // has one of the two columns.
  std::string indices = "feature_indices", values = "features";
};

// The nodes are CSV, TSV or JSONL with a header; the edges are two columns, with or without the
// header "source", "target"; both also as .gz. Ids are any texts. Errors are bad_input with file
// and line: a missing column, an id twice, an edge to an unknown node, a feature that is no number,
// rows of values with different lengths. Labels that are all integers >= 0 stay as they are; others
// are numbered in the order of their names. "" is no label and no split.
GraphData load_graph(const std::filesystem::path& nodes, const std::filesystem::path& edges,
                     const GraphFileOptions& options = {});

}  // namespace athanor::data
