// The parts of a Tokenizer. Private to this folder.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/text/tokenizer.h"

namespace athanor::data {

struct Tokenizer::State {
  explicit State(TokenizerSpec s);

  // What one thread needs while it encodes.
  struct Scratch {
    BertWords::Scratch words;
    BytePair::Scratch pairs;
    TextPieces pieces;
    std::vector<AddedTokens::Piece> raw, normal;
    std::vector<std::int32_t> first, second;
  };

  // Appends the ids of a text, without special tokens around it.
  void append_ids(std::string_view text, Scratch& scratch, std::vector<std::int32_t>& ids) const;
  // Appends one row: the ids in scratch.first (and scratch.second of a pair), truncated and set
  // into the template.
  void append_row(bool is_pair, const EncodeOptions& options, Scratch& scratch,
                  TokenRows& rows) const;

  TokenizerSpec spec;
  std::unordered_map<std::string_view, std::int32_t> ids;  // views into spec
  std::vector<const std::string*> tokens;                  // by id, null where there is none
  std::vector<bool> special;                               // by id
  AddedTokens raw_added, normal_added;  // looked for before and after normalising
  std::optional<BertWords> bert;        // set: one pass does both first steps
  std::optional<WordPiece> word_piece;
  std::optional<BytePair> byte_pair;
  std::int32_t unknown_word = -1;

 private:
  void append_normalised(std::string_view text, Scratch& scratch,
                         std::vector<std::int32_t>& out) const;
  void append_piece(std::string_view piece, Scratch& scratch, std::vector<std::int32_t>& out) const;
};

}  // namespace athanor::data
