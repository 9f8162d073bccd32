// Records as bags of hashed tokens, and where they lie among each other.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/tensor.h"

namespace athanor::distill {

// Normalised contents, one behind the other.
class TextArena {
 public:
  void add(std::string_view text) {
    bytes_ += text;
    end_.push_back(bytes_.size());
  }
  std::int64_t size() const { return std::ssize(end_); }
  std::string_view operator[](std::int64_t i) const {
    const std::size_t begin = i == 0 ? 0 : end_[i - 1];
    return std::string_view(bytes_).substr(begin, end_[i] - begin);
  }

 private:
  std::string bytes_;
  std::vector<std::size_t> end_;
};

// Rows of distinct token hashes, compressed (CSR).
struct TokenRows {
  std::vector<std::uint32_t> token;
  std::vector<std::size_t> begin{0};  // size() + 1

  void add(std::span<const std::uint32_t> tokens) {
    token.insert(token.end(), tokens.begin(), tokens.end());
    begin.push_back(token.size());
  }
  std::int64_t size() const { return std::ssize(begin) - 1; }
  std::span<const std::uint32_t> row(std::int64_t i) const {
    return std::span(token).subspan(begin[i], begin[i + 1] - begin[i]);
  }
};

// Words and pairs of neighbouring words, given the words' hashes, of which the first 1,000 count;
// distinct, in order.
void tokens_of_words(std::span<const std::uint32_t> words, std::vector<std::uint32_t>& tokens);
// Of one word, given its hash, and of two neighbouring ones.
std::uint32_t token_of_word(std::uint32_t word);
std::uint32_t token_of_pair(std::uint32_t first, std::uint32_t second);
// The same of each text.
TokenRows tokens_of(const TextArena& texts);

// Unit rows f32 [rows.size(), 128] of tf-idf weights projected by signs (Achlioptas 2003); zero for
// a record without tokens. `idf`: of inverse_document_frequencies(). `known`: rows that are copied
// from earlier ones, null where there is none.
Tensor embed_tokens(const TokenRows& all, std::span<const std::int64_t> rows,
                    std::span<const float> idf, std::span<const float* const> known = {});
// ln((1 + n) / (1 + df)) + 1 for each of 2^18 hash cells.
std::vector<float> inverse_document_frequencies(const TokenRows& all);

}  // namespace athanor::distill
