// MinHash signatures and locality-sensitive hashing (Broder 1997; Leskovec et al., Mining of
// Massive Datasets, ch. 3): which texts may share most of their 5-grams.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace athanor::distill {

inline constexpr int kPermutations = 128;
using MinHashSignature = std::array<std::uint32_t, kPermutations>;

// For each of 128 permutations h -> (h xor c) a mod 2^32, a odd, the least image of `grams` (hashes
// of the set's elements, repeats allowed). The share of equal places of two signatures estimates
// the sets' Jaccard index.
MinHashSignature minhash_signature(std::span<const std::uint32_t> grams);

// A pair is found when one of 18 bands of 7 values is equal: with probability
// 1 - (1 - J^7)^18, which is 0.985 at Jaccard J = 0.8 and 0.05 at 0.42.
inline constexpr int kBands = 18;
inline constexpr int kBandRows = 7;
using BandKeys = std::array<std::uint32_t, kBands>;
BandKeys band_keys(const MinHashSignature& signature);

// Calls pair(i, j), i < j, for rows that have one of `keys` in the same place, each row having
// `per_row` of them; a pair may be told more than once. Where more than `max_bucket` rows have a
// key each is told with the first of them and with the one before it alone, so that the work stays
// linear. Rows flagged in `skip` are left out.
void for_each_with_key(std::span<const std::uint32_t> keys, std::size_t per_row,
                       std::span<const char> skip,
                       const std::function<void(std::int64_t, std::int64_t)>& pair,
                       std::int64_t max_bucket = 50);
// The same for rows that share a band.
void for_each_candidate(std::span<const BandKeys> keys, std::span<const char> skip,
                        const std::function<void(std::int64_t, std::int64_t)>& pair,
                        std::int64_t max_bucket = 50);

}  // namespace athanor::distill
