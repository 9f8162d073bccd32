// Graphs with features and labels at the nodes, as two tables of tab-separated values:
//   nodes.tsv: a header, then  node <tab> label <tab> split <tab> features
//   edges.tsv: node <tab> node
// Nodes are 0, 1, ... in order; split is train, val, test or none; features are the indices of the
// ones of a vector of zeros, separated by spaces. This is how Cora, CiteSeer and PubMed are shared.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

#include "tensor/io/limits.h"
#include "tensor/tensor.h"

namespace athanor::data {

struct GraphSet {
  Tensor features;                 // f32 [N, F] of 0 and 1; F = the largest index + 1
  Tensor labels;                   // i64 [N], each >= 0
  Tensor row, column;              // i64 [E]: the edges as in the file
  Tensor train, validation, test;  // i64: the nodes of each split, ascending
  std::int64_t classes = 0;        // the largest label + 1
};

// Both files' bytes; the names are used in messages only. Errors are bad_input with file, line,
// field, expected and found: another header, a node out of order, a label or index that is not a
// number >= 0, an unknown split, an edge to no node, a dense feature table beyond limits.max_bytes.
GraphSet parse_graph_set(std::string_view nodes, std::string_view edges,
                         std::string_view nodes_file, std::string_view edges_file,
                         const Limits& limits = {});

// nodes.tsv and edges.tsv of `directory`.
GraphSet load_graph_set(const std::filesystem::path& directory, const Limits& limits = {});

}  // namespace athanor::data
