// Tokens as a trie over their bytes, laid out as a double array.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace athanor::data {

// One step is one addition and one comparison: the child of node s by byte b is t = base[s] ^ b,
// provided that parent[t] == s (J. Aoe, An efficient digital search algorithm by using a
// double-array structure, 1989; children by XOR stay within one block of 256).
class TokenTrie {
 public:
  static constexpr std::int32_t kRoot = 0;

  TokenTrie() : TokenTrie(std::vector<std::pair<std::string, std::int32_t>>{}) {}
  // Tokens with their ids >= 0, each token once, in any order.
  explicit TokenTrie(std::vector<std::pair<std::string, std::int32_t>> tokens);

  // The child, or -1.
  std::int32_t step(std::int32_t node, char byte) const {
    const std::int32_t child = nodes_[node].base ^ static_cast<unsigned char>(byte);
    return nodes_[child].parent == node ? child : -1;
  }
  // The id of the token that ends at this node, or -1.
  std::int32_t id(std::int32_t node) const { return nodes_[node].id; }
  // The node that these bytes lead to from the root, or -1.
  std::int32_t walk(std::string_view bytes) const;
  // The id of exactly this token, or -1.
  std::int32_t find(std::string_view token) const;
  // The longest token that text begins with, as (id, length); (-1, 0) when there is none.
  std::pair<std::int32_t, std::size_t> longest_prefix(std::string_view text) const;

  std::size_t bytes() const { return nodes_.size() * sizeof(Node); }

 private:
  struct Node {
    std::int32_t base = 0;     // a multiple of nothing: the children are at base ^ byte
    std::int32_t parent = -1;  // -1: the place is free
    std::int32_t id = -1;
  };
  class Builder;

  std::vector<Node> nodes_;
};

}  // namespace athanor::data
