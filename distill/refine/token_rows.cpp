#include "distill/refine/token_rows.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "distill/refine/feature_values.h"
#include "distill/refine/text_units.h"
#include "tensor/base/parallel.h"
#include "tensor/ops.h"

namespace athanor::distill {
namespace {

constexpr std::size_t kMaxWords = 1000;
constexpr std::int64_t kTextBlock = 4096;
constexpr int kIdfBits = 18;
constexpr int kDimensions = 128;
constexpr int kSigns = 4;  // places of the embedding that one token touches

std::uint32_t mixed(std::uint32_t a, std::uint32_t b) {
  std::uint64_t h = (std::uint64_t{a} << 32 | b) * 0x9e3779b97f4a7c15u;
  h ^= h >> 32;
  h *= 0xd6e8feb86659fd93u;
  return static_cast<std::uint32_t>(h >> 32);
}

std::size_t idf_cell(std::uint32_t token) { return token >> (32 - kIdfBits); }

}  // namespace

std::uint32_t token_of_word(std::uint32_t word) { return mixed(word, 0); }
std::uint32_t token_of_pair(std::uint32_t first, std::uint32_t second) {
  return mixed(first, second);
}

void tokens_of_words(std::span<const std::uint32_t> words, std::vector<std::uint32_t>& tokens) {
  words = words.first(std::min(words.size(), kMaxWords));
  tokens.clear();
  for (std::size_t i = 0; i < words.size(); ++i) {
    tokens.push_back(token_of_word(words[i]));
    if (i > 0) tokens.push_back(token_of_pair(words[i - 1], words[i]));
  }
  std::sort(tokens.begin(), tokens.end());
  tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
}

TokenRows tokens_of(const TextArena& texts) {
  TokenRows result;
  const std::int64_t n = texts.size();
  result.begin.reserve(static_cast<std::size_t>(n) + 1);
  std::vector<std::vector<std::uint32_t>> block(kTextBlock);
  for (std::int64_t start = 0; start < n; start += kTextBlock) {
    const std::int64_t count = std::min(kTextBlock, n - start);
    parallel_for(count, 256, [&](std::int64_t begin, std::int64_t end) {
      Words words;
      for (std::int64_t i = begin; i < end; ++i) {
        split_words(texts[start + i], words);
        tokens_of_words(words.hash, block[i]);
      }
    });
    for (std::int64_t i = 0; i < count; ++i) result.add(block[i]);
  }
  return result;
}

std::vector<float> inverse_document_frequencies(const TokenRows& all) {
  std::vector<float> idf(std::size_t{1} << kIdfBits);
  for (const std::uint32_t token : all.token) ++idf[idf_cell(token)];
  const double n = static_cast<double>(all.size());
  // Most cells hold small counts.
  std::array<float, 256> of_count;
  const auto weight = [n](float count) {
    return static_cast<float>(std::log((1 + n) / (1 + count)) + 1);
  };
  for (std::size_t k = 0; k < of_count.size(); ++k) of_count[k] = weight(static_cast<float>(k));
  for (float& value : idf) {
    value = value < float(of_count.size()) ? of_count[std::size_t(value)] : weight(value);
  }
  return idf;
}

Tensor embed_tokens(const TokenRows& all, std::span<const std::int64_t> rows,
                    std::span<const float> idf, std::span<const float* const> known) {
  Tensor result = zeros({std::ssize(rows), kDimensions});
  float* out = result.data<float>();
  parallel_for(std::ssize(rows), 256, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      float* x = out + r * kDimensions;
      if (!known.empty() && known[r] != nullptr) {
        std::copy_n(known[r], kDimensions, x);
        continue;
      }
      const std::span<const std::uint32_t> tokens = all.row(rows[r]);
      for (const std::uint32_t token : tokens) __builtin_prefetch(&idf[idf_cell(token)]);
      for (const std::uint32_t token : tokens) {
        std::uint32_t bits = mixed(token, 0x7f4a7c15);
        const auto weight = std::bit_cast<std::uint32_t>(idf[idf_cell(token)]);
        for (int s = 0; s < kSigns; ++s, bits >>= 8) {
          // Plus where bit 7 is set, else minus; a branch would be foreseen half of the time.
          x[bits & (kDimensions - 1)] += std::bit_cast<float>(weight ^ (~bits & 0x80) << 24);
        }
      }
      double squares = 0;
      for (int d = 0; d < kDimensions; ++d) squares += double(x[d]) * x[d];
      const float scale = squares > 0 ? static_cast<float>(1 / std::sqrt(squares)) : 0;
      for (int d = 0; d < kDimensions; ++d) x[d] *= scale;
    }
  });
  return result;
}

}  // namespace athanor::distill
