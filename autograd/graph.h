// The recorded graph in words and pictures.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "autograd/variable.h"

namespace athanor {

// Names for leaves and results, such as Module::named_parameters().
using VariableNames = std::vector<std::pair<std::string, Variable>>;

// One line an operation, in order of execution; each argument with its shape and dtype:
//   %0 = leaf weight [3, 2] f32
//   %1 = linear(const [4, 2] f32, %0 [3, 2] f32)
//   %2 = mean(%1 [4, 3] f32)
//   return %2 [] f32
// Several results of one operation are written %1.0, %1.1, ...
std::string graph_text(const Variable& output, const VariableNames& names = {});

// The same for Graphviz (dot -Tsvg): boxes are leaves, ellipses are operations, edges carry shape
// and dtype.
std::string graph_dot(const Variable& output, const VariableNames& names = {});

}  // namespace athanor
