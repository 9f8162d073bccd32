// Tokens that are looked for in the text itself, before it is cut: [SEP], <|endoftext|>.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/text/token_trie.h"

namespace athanor::data {

struct AddedToken {
  std::string content;
  std::int32_t id = 0;
  bool single_word = false;  // not where letters touch it
  bool lstrip = false;       // takes the white space before it
  bool rstrip = false;       // and behind it
  bool normalized = false;   // is looked for in the normalised text
  bool special = false;      // is left out when ids become text
};

class AddedTokens {
 public:
  struct Piece {
    std::int32_t id;  // -1: ordinary text
    std::string_view text;
  };

  AddedTokens() = default;
  explicit AddedTokens(std::vector<AddedToken> tokens);
  bool empty() const { return tokens_.empty(); }
  // False when no token begins with any byte of the text: it is then one piece.
  bool may_stand_in(std::string_view text) const;
  // Text (valid UTF-8) and tokens in order; the leftmost, then the longest token counts.
  void split(std::string_view text, std::vector<Piece>& pieces) const;

 private:
  std::vector<AddedToken> tokens_;
  TokenTrie trie_;  // of indices into tokens_
  std::array<bool, 256> first_bytes_{};
};

}  // namespace athanor::data
