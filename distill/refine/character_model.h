// How likely a text is among all texts of a table, by its characters alone.
#pragma once

#include <vector>

#include "distill/refine/token_rows.h"

namespace athanor::distill {

// Mean negative log-likelihood of a text's characters and of its end (nats) under a character model
// of order 3 of all texts, the text's own occurrence left out of each count; orders are
// interpolated by Witten-Bell (1991), n-grams beyond the first order are hashed. NaN for an empty
// text.
std::vector<double> character_nll(const TextArena& texts);

}  // namespace athanor::distill
