#include "autograd/graph.h"

#include <unordered_map>

#include "autograd/node.h"

namespace athanor {
namespace {

// Leaves and nodes behind a variable, numbered so that each comes after what it depends on.
class Numbering {
 public:
  Numbering(const Variable& output, const VariableNames& names) {
    for (const auto& [name, variable] : names) {
      if (variable.defined()) names_[variable.state()] = name;
    }
    if (output.requires_grad() && output.is_leaf()) add_leaf(output.state());
    for (const Node* node : detail::nodes_behind({&output, 1})) {
      for (const Edge& edge : node->edges()) {
        if (edge.leaf) add_leaf(edge.leaf.get());
      }
      numbers_.emplace(node, static_cast<int>(entries_.size()));
      entries_.push_back({node, nullptr});
    }
  }

  struct Entry {
    const Node* node;
    const detail::VariableState* leaf;  // when there is no node
  };
  const std::vector<Entry>& entries() const { return entries_; }

  int number(const Edge& edge) const {
    return numbers_.at(edge.producer ? static_cast<const void*>(edge.producer.get())
                                     : static_cast<const void*>(edge.leaf.get()));
  }
  int number(const Variable& v) const {
    const detail::VariableState* state = v.state();
    return numbers_.at(state->producer ? static_cast<const void*>(state->producer.get())
                                       : static_cast<const void*>(state));
  }
  std::string name(const detail::VariableState* leaf) const {
    const auto it = names_.find(leaf);
    return it == names_.end() ? "" : it->second;
  }

 private:
  void add_leaf(const detail::VariableState* leaf) {
    if (!numbers_.emplace(leaf, static_cast<int>(entries_.size())).second) return;
    entries_.push_back({nullptr, leaf});
  }
  std::vector<Entry> entries_;
  std::unordered_map<const void*, int> numbers_;
  std::unordered_map<const detail::VariableState*, std::string> names_;
};

std::string leaf_label(const Numbering& numbering, const detail::VariableState* leaf) {
  const std::string name = numbering.name(leaf);
  return str("leaf ", name, name.empty() ? "" : " ", leaf->value.shape(), " ", leaf->value.dtype());
}

// A string as Graphviz reads it between quotes.
std::string escaped(const std::string& text) {
  std::string result;
  for (char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result;
}

}  // namespace

std::string graph_text(const Variable& output, const VariableNames& names) {
  const Numbering numbering(output, names);
  std::string text;
  for (std::size_t i = 0; i < numbering.entries().size(); ++i) {
    const auto& [node, leaf] = numbering.entries()[i];
    text += str("%", i, " = ");
    if (leaf) {
      text += leaf_label(numbering, leaf) + "\n";
      continue;
    }
    text += str(node->op(), "(");
    for (std::size_t k = 0; k < node->edges().size(); ++k) {
      const Edge& edge = node->edges()[k];
      if (k > 0) text += ", ";
      if (edge.needed()) {
        text += str("%", numbering.number(edge));
        if (edge.producer && edge.producer->outputs() > 1) text += str(".", edge.output_index);
      } else {
        text += "const";
      }
      text += str(" ", edge.shape, " ", edge.dtype);
    }
    text += ")\n";
  }
  text += "return ";
  text += output.requires_grad() ? str("%", numbering.number(output)) : "const";
  return text + str(" ", output.shape(), " ", output.dtype(), "\n");
}

std::string graph_dot(const Variable& output, const VariableNames& names) {
  const Numbering numbering(output, names);
  std::string text = "digraph athanor {\n  rankdir=TB;\n";
  for (std::size_t i = 0; i < numbering.entries().size(); ++i) {
    const auto& [node, leaf] = numbering.entries()[i];
    if (leaf) {
      text +=
          str("  n", i, " [shape=box, label=\"", escaped(leaf_label(numbering, leaf)), "\"];\n");
      continue;
    }
    text += str("  n", i, " [label=\"", escaped(node->op()), "\"];\n");
    for (const Edge& edge : node->edges()) {
      if (!edge.needed()) continue;
      text += str("  n", numbering.number(edge), " -> n", i, " [label=\"", edge.shape, " ",
                  edge.dtype, "\"];\n");
    }
  }
  return text + "}\n";
}

}  // namespace athanor
