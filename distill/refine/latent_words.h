// Latent semantic analysis (Deerwester et al. 1990) of bags of hashed tokens.
#pragma once

#include <cstdint>

#include "distill/refine/token_rows.h"

namespace athanor::distill {

// Unit rows f32 [records, k], k = min(dimensions, records, columns): tf-idf rows on the k leading
// singular directions, up to a rotation, by `steps` of subspace iteration from a random start
// (Halko et al. 2011). Columns are the hash cells of at least two records, the 32,768 commonest at
// most; a record without any is zero. Throws for no records or dimensions < 1.
Tensor latent_words(const TokenRows& tokens, std::int64_t dimensions, std::uint64_t seed,
                    int steps = 4);

}  // namespace athanor::distill
