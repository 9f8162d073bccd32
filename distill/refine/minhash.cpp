#include "distill/refine/minhash.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "tensor/random.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

// One copy of the loop for each instruction set; the loader picks one. Sanitizers run before the
// loader's choice can be made.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define ATHANOR_ISA_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define ATHANOR_ISA_CLONES
#endif

namespace athanor::distill {
namespace {

constexpr int kLanes = 32;  // permutations whose minima stay in registers

struct Permutations {
  std::array<std::uint32_t, kPermutations> mask, factor;

  Permutations() {
    Generator random(0x6d696e68617368);  // any fixed seed: signatures must agree between runs
    for (int p = 0; p < kPermutations; ++p) {
      mask[p] = random.next_u32();
      factor[p] = random.next_u32() | 1;
    }
  }
};

ATHANOR_ISA_CLONES
void lower_minima(const std::uint32_t* grams, std::size_t count, const std::uint32_t* mask,
                  const std::uint32_t* factor, std::uint32_t* minima) {
  for (int block = 0; block < kPermutations; block += kLanes) {
    std::uint32_t least[kLanes];
    for (int p = 0; p < kLanes; ++p) least[p] = 0xffffffffu;
    for (std::size_t g = 0; g < count; ++g) {
      const std::uint32_t gram = grams[g];
      for (int p = 0; p < kLanes; ++p) {
        const std::uint32_t image = (gram ^ mask[block + p]) * factor[block + p];
        least[p] = image < least[p] ? image : least[p];
      }
    }
    for (int p = 0; p < kLanes; ++p) minima[block + p] = least[p];
  }
}

}  // namespace

MinHashSignature minhash_signature(std::span<const std::uint32_t> grams) {
  static const Permutations permutations;
  MinHashSignature signature;
  lower_minima(grams.data(), grams.size(), permutations.mask.data(), permutations.factor.data(),
               signature.data());
  return signature;
}

BandKeys band_keys(const MinHashSignature& signature) {
  static_assert(kBands * kBandRows <= kPermutations);
  BandKeys keys;
  for (int b = 0; b < kBands; ++b) {
    keys[b] = static_cast<std::uint32_t>(
        XXH3_64bits(signature.data() + b * kBandRows, kBandRows * sizeof(std::uint32_t)));
  }
  return keys;
}

namespace {

using KeyedRow = std::pair<std::uint32_t, std::uint32_t>;  // key, row

// Sorts by key, rows of one key in their order (LSD radix sort: linear in the rows).
void sort_by_key(std::vector<KeyedRow>& rows, std::vector<KeyedRow>& scratch) {
  constexpr int kDigit = 11;
  constexpr std::uint32_t kValues = 1u << kDigit;
  scratch.resize(rows.size());
  for (int shift = 0; shift < 32; shift += kDigit) {
    std::array<std::size_t, kValues + 1> begin{};
    for (const KeyedRow& row : rows) ++begin[(row.first >> shift & (kValues - 1)) + 1];
    std::partial_sum(begin.begin(), begin.end(), begin.begin());
    for (const KeyedRow& row : rows) scratch[begin[row.first >> shift & (kValues - 1)]++] = row;
    std::swap(rows, scratch);
  }
}

}  // namespace

void for_each_with_key(std::span<const std::uint32_t> keys, std::size_t per_row,
                       std::span<const char> skip,
                       const std::function<void(std::int64_t, std::int64_t)>& pair,
                       std::int64_t max_bucket) {
  std::vector<KeyedRow> order, scratch;
  const std::size_t rows = keys.size() / per_row;
  order.reserve(rows);
  for (std::size_t k = 0; k < per_row; ++k) {
    order.clear();
    for (std::size_t i = 0; i < rows; ++i) {
      if (!skip[i]) order.emplace_back(keys[i * per_row + k], static_cast<std::uint32_t>(i));
    }
    sort_by_key(order, scratch);
    for (std::size_t begin = 0; begin < order.size();) {
      std::size_t end = begin + 1;
      while (end < order.size() && order[end].first == order[begin].first) ++end;
      const bool large = static_cast<std::int64_t>(end - begin) > max_bucket;
      for (std::size_t j = begin + 1; j < end; ++j) {
        if (large) {
          pair(order[begin].second, order[j].second);
          if (j > begin + 1) pair(order[j - 1].second, order[j].second);
          continue;
        }
        for (std::size_t i = begin; i < j; ++i) pair(order[i].second, order[j].second);
      }
      begin = end;
    }
  }
}

void for_each_candidate(std::span<const BandKeys> keys, std::span<const char> skip,
                        const std::function<void(std::int64_t, std::int64_t)>& pair,
                        std::int64_t max_bucket) {
  if (keys.empty()) return;
  static_assert(sizeof(BandKeys) == kBands * sizeof(std::uint32_t));
  for_each_with_key({keys.data()->data(), keys.size() * kBands}, kBands, skip, pair, max_bucket);
}

}  // namespace athanor::distill
