// WordPiece: a word becomes the longest tokens that it can be cut into from the left.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/text/token_trie.h"

namespace athanor::data {

struct WordPieceOptions {
  std::string unknown = "[UNK]";
  std::string continuing_prefix = "##";  // of tokens that do not begin a word
  std::size_t max_characters = 100;      // longer words are unknown
};

// M. Schuster, K. Nakajima, Japanese and Korean voice search, 2012; the algorithm of BERT. A word
// of n bytes costs at most n steps for each byte that begins a piece.
class WordPiece {
 public:
  // Tokens with their ids. Throws bad_input when options.unknown is none of them.
  WordPiece(const std::vector<std::pair<std::string, std::int32_t>>& tokens,
            const WordPieceOptions& options);
  // Appends the ids of a non-empty word, or the unknown token's where it cannot be cut.
  void encode(std::string_view word, std::vector<std::int32_t>& ids) const;

 private:
  TokenTrie trie_;
  std::int32_t unknown_;
  std::int32_t continuing_;  // the node behind the prefix, or -1
  std::size_t max_characters_;
};

}  // namespace athanor::data
