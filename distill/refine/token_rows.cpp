#include "distill/refine/token_rows.h"

#include <algorithm>
#include <cmath>

#include "distill/refine/feature_values.h"
#include "distill/refine/text_units.h"
#include "tensor/base/parallel.h"
#include "tensor/ops.h"

namespace athanor::distill {
namespace {

constexpr std::size_t kMaxWords = 1000;
constexpr std::int64_t kBlock = 4096;
constexpr int kIdfBits = 18;
constexpr int kDimensions = 128;
constexpr int kSigns = 4;  // places of the embedding that one token touches
constexpr int kModelBits = 20;
constexpr int kOrder = 3;  // characters of context

std::uint32_t mixed(std::uint32_t a, std::uint32_t b) {
  std::uint64_t h = (std::uint64_t{a} << 32 | b) * 0x9e3779b97f4a7c15u;
  h ^= h >> 32;
  h *= 0xd6e8feb86659fd93u;
  return static_cast<std::uint32_t>(h >> 32);
}

std::size_t idf_cell(std::uint32_t token) { return token >> (32 - kIdfBits); }

void row_tokens(std::string_view text, Words& words, std::vector<std::uint32_t>& out) {
  split_words(text, words);
  if (words.hash.size() > kMaxWords) words.hash.resize(kMaxWords);
  out.clear();
  for (std::size_t i = 0; i < words.hash.size(); ++i) {
    out.push_back(mixed(words.hash[i], 0));
    if (i > 0) out.push_back(mixed(words.hash[i - 1], words.hash[i]));
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
}

// Counts of one context order: how often a context and a context with its next character occurred,
// and how many different characters follow a context.
struct ContextCount {
  std::uint32_t seen = 0, kinds = 0;
};
struct OrderCounts {
  std::vector<ContextCount> context = std::vector<ContextCount>(std::size_t{1} << kModelBits);
  std::vector<std::uint32_t> next = std::vector<std::uint32_t>(std::size_t{1} << kModelBits);
};

constexpr std::uint32_t kModelMask = (std::uint32_t{1} << kModelBits) - 1;

// Calls fn(order, hash of the context, hash of context and character) along a text.
template <class Fn>
void along(std::string_view text, Fn&& fn) {
  std::uint32_t last[kOrder] = {};
  for (std::size_t at = 0; at < text.size();) {
    const auto c = static_cast<std::uint32_t>(next_character(text, at));
    std::uint32_t context = 0x5bd1e995;
    for (int order = 0; order <= kOrder; ++order) {
      fn(order, context & kModelMask, mixed(context, c + 1) & kModelMask);
      if (order < kOrder) context = mixed(context, last[order] + 0x10000000u * (order + 1));
    }
    for (int k = kOrder - 1; k > 0; --k) last[k] = last[k - 1];
    last[0] = c + 1;
  }
}

}  // namespace

TokenRows tokens_of(const TextArena& texts) {
  TokenRows result;
  const std::int64_t n = texts.size();
  result.begin.reserve(static_cast<std::size_t>(n) + 1);
  std::vector<std::vector<std::uint32_t>> block(kBlock);
  for (std::int64_t start = 0; start < n; start += kBlock) {
    const std::int64_t count = std::min(kBlock, n - start);
    parallel_for(count, 256, [&](std::int64_t begin, std::int64_t end) {
      Words words;
      for (std::int64_t i = begin; i < end; ++i) row_tokens(texts[start + i], words, block[i]);
    });
    for (std::int64_t i = 0; i < count; ++i) {
      result.token.insert(result.token.end(), block[i].begin(), block[i].end());
      result.begin.push_back(result.token.size());
    }
  }
  return result;
}

std::vector<double> character_nll(const TextArena& texts) {
  std::vector<OrderCounts> counts(kOrder + 1);
  const std::int64_t n = texts.size();
  for (std::int64_t i = 0; i < n; ++i) {
    along(texts[i], [&](int order, std::uint32_t context, std::uint32_t next) {
      OrderCounts& c = counts[order];
      ++c.context[context].seen;
      c.context[context].kinds += c.next[next]++ == 0;
    });
  }
  std::vector<double> nll(static_cast<std::size_t>(n), kNotApplicable);
  parallel_for(n, 1024, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      double sum = 0, p = 0;
      std::int64_t characters = 0;
      along(texts[i], [&](int order, std::uint32_t context, std::uint32_t next) {
        // The occurrence itself is left out.
        const OrderCounts& c = counts[order];
        const double seen = c.context[context].seen - 1., with = c.next[next] - 1.;
        const double kinds =
            std::max(1., static_cast<double>(c.context[context].kinds) - (with == 0));
        if (order == 0) p = 1. / 4096;
        if (seen > 0) p = (with + kinds * p) / (seen + kinds);
        if (order == kOrder) {
          sum -= std::log(p);
          ++characters;
        }
      });
      if (characters > 0) nll[i] = sum / static_cast<double>(characters);
    }
  });
  return nll;
}

std::vector<float> inverse_document_frequencies(const TokenRows& all) {
  std::vector<float> idf(std::size_t{1} << kIdfBits);
  for (const std::uint32_t token : all.token) ++idf[idf_cell(token)];
  const double n = static_cast<double>(all.size());
  for (float& value : idf) value = static_cast<float>(std::log((1 + n) / (1 + value)) + 1);
  return idf;
}

Tensor embed_tokens(const TokenRows& all, std::span<const std::int64_t> rows,
                    std::span<const float> idf) {
  Tensor result = zeros({std::ssize(rows), kDimensions});
  float* out = result.data<float>();
  parallel_for(std::ssize(rows), 256, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      float* x = out + r * kDimensions;
      for (const std::uint32_t token : all.row(rows[r])) {
        std::uint32_t bits = mixed(token, 0x7f4a7c15);
        for (int s = 0; s < kSigns; ++s, bits >>= 8) {
          const float weight = idf[idf_cell(token)];
          x[bits & (kDimensions - 1)] += (bits & 0x80) != 0 ? weight : -weight;
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
