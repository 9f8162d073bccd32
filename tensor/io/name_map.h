// Renaming tensors between the names of two programs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tensor/io/safetensors.h"

namespace athanor {

// A rule turns a name that matches `from` into `to`. "*" in `from` stands for any text without
// dots, "**" for any text at all; each in `to` gives back what the one of the same rank stood for.
// An empty `to` drops the tensor. With `transpose` a matrix becomes its transpose (weights stored
// as [in, out]).
//   {"bert.**", "**"}   {"h.*.attn.c_proj.weight", "layers.*.out.weight", true}
struct NameRule {
  std::string from, to;
  bool transpose = false;
};

class NameMap {
 public:
  NameMap() = default;
  // Throws usage for a rule with another number of stars in `to` than in `from` (or more than 8).
  explicit NameMap(std::vector<NameRule> rules);

  // The rules as lines "from = to", "from = to (transpose)" or "from =" (drop); "#" begins a
  // comment. Errors are bad_input with the line.
  static NameMap parse(std::string_view text, std::string_view file);

  // The new name by the first rule that matches; the name itself where none does.
  std::string rename(std::string_view name) const;
  // All tensors under new names; tensors of a transposing rule are contiguous transposes. Throws
  // bad_input when two get the same name, and for a transposed tensor that is no matrix.
  NamedTensors apply(const NamedTensors& tensors) const;

 private:
  // Index of the first rule that matches and what its stars stood for; -1 for none.
  int match(std::string_view name, std::vector<std::string_view>& stars) const;

  std::vector<NameRule> rules_;
};

// What two sets of names have that the other has not, as one text of at most `most` names each:
// "missing: a, b; unexpected: c, d and 7 more"; "" when there is nothing to say.
std::string describe_difference(const std::vector<std::string>& missing,
                                const std::vector<std::string>& unexpected, std::size_t most = 8);

}  // namespace athanor
