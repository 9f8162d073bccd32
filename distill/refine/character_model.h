// How likely a text is among all texts of a table, by its characters alone.
#pragma once

#include <vector>

#include "distill/refine/token_rows.h"

namespace athanor::distill {

// Mean negative log-likelihood of a text's characters and of its end (nats) under a character model
// of order 3 of the other half of the texts (halves by a fixed rule of their number; of a half at
// most 131,072 bytes are learned, spread over it). Orders are interpolated by Witten-Bell
// (1991), n-grams are hashed. NaN for an empty text.
std::vector<double> character_nll(const TextArena& texts);

}  // namespace athanor::distill
