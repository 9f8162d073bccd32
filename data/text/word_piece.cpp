#include "data/text/word_piece.h"

#include <algorithm>

#include "tensor/base/error.h"

namespace athanor::data {
namespace {

std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

}  // namespace

WordPiece::WordPiece(const std::vector<std::pair<std::string, std::int32_t>>& tokens,
                     const WordPieceOptions& options)
    : trie_(tokens),
      unknown_(trie_.find(options.unknown)),
      continuing_(trie_.walk(options.continuing_prefix)),
      max_characters_(options.max_characters) {
  if (unknown_ < 0) {
    raise(ErrorKind::bad_input, "model.unk_token: expected a token of the vocabulary, found \"",
          options.unknown, "\"");
  }
}

void WordPiece::encode(std::string_view word, std::vector<std::int32_t>& ids) const {
  const std::size_t first = ids.size();
  if (word.size() > max_characters_ && count_characters(word) > max_characters_) {
    ids.push_back(unknown_);
    return;
  }
  std::int32_t node = TokenTrie::kRoot;
  for (std::size_t start = 0; start < word.size();) {
    std::int32_t best = -1;
    std::size_t best_end = start;
    for (std::size_t i = start; i < word.size() && node >= 0;) {
      node = trie_.step(node, word[i++]);
      if (node >= 0 && trie_.id(node) >= 0) {
        best = trie_.id(node);
        best_end = i;
      }
    }
    if (best < 0) {
      ids.resize(first);
      ids.push_back(unknown_);
      return;
    }
    ids.push_back(best);
    start = best_end;
    node = continuing_;
  }
}

}  // namespace athanor::data
