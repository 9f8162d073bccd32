// Byte pair encoding: the characters or bytes of a word are merged pair by pair in a learned order.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/text/token_trie.h"

namespace athanor::data {

struct BytePairOptions {
  bool byte_level = false;     // words are bytes, and tokens are spelled in GPT-2's byte alphabet
  std::string unknown;         // token of characters that are none; "" drops them
  bool fuse_unknown = false;   // neighbouring unknown characters give one token
  bool byte_fallback = false;  // an unknown character becomes its bytes' tokens <0x00> to <0xFF>
  bool ignore_merges = false;  // a word that is a token needs no merges
};

// R. Sennrich, B. Haddow, A. Birch, Neural machine translation of rare words with subword units,
// ACL 2016. With no merges it is a character tokeniser. Words of n symbols cost O(n log n).
class BytePair {
 public:
  struct Scratch {
    std::vector<std::int32_t> symbols, next, previous;
    std::vector<std::pair<std::uint64_t, std::int32_t>> heap;
  };
  using Merges = std::vector<std::pair<std::string, std::string>>;

  // Throws bad_input when a merge makes no token of the vocabulary, or its parts are none.
  BytePair(const std::vector<std::pair<std::string, std::int32_t>>& tokens, const Merges& merges,
           const BytePairOptions& options);
  // Appends the ids of a word (UTF-8, or any bytes at byte level).
  void encode(std::string_view word, Scratch& scratch, std::vector<std::int32_t>& ids) const;

  // The bytes that a byte-level token stands for. False when it is not spelled in that alphabet.
  static bool bytes_of_token(std::string_view token, std::string& bytes);

 private:
  struct Merge {
    std::uint64_t pair = 0;
    std::uint32_t rank = 0;
    std::int32_t id = -1;  // -1: the place is free
  };
  const Merge* find(std::int32_t left, std::int32_t right) const;
  void add_merge(std::int32_t left, std::int32_t right, std::uint32_t rank, std::int32_t id);
  void read_symbols(std::string_view word, std::vector<std::int32_t>& symbols) const;
  void read_unknown(std::string_view character, std::vector<std::int32_t>& symbols,
                    bool& fused) const;
  void merge(Scratch& scratch) const;
  void merge_short(std::vector<std::int32_t>& symbols) const;
  void merge_long(Scratch& scratch) const;

  BytePairOptions options_;
  TokenTrie trie_;  // of tokens, or of the bytes they stand for
  std::array<std::int32_t, 256> byte_ids_;
  std::int32_t unknown_ = -1;
  std::vector<Merge> merges_;  // open addressing
  std::vector<bool> whole_;    // by id: merging its own characters gives back the token
};

}  // namespace athanor::data
