// How texts end: whether the last words of one stand at the end of others, or only within them, as
// those of a text that was cut off do.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "distill/refine/token_rows.h"

namespace athanor::distill {

// ln [odds(the text ends behind these words) / odds(behind any word)] of each text, 0 where nothing
// is known: below 0 the words stand within texts more often than any word does. Of the last word,
// and of the last two as far as they occur; each text is left out of what is said of itself.
// `last`: tokens of each text's last word and of its last two, 0 = none; `usual`: 1 for the texts
// to learn from, of which at most 4,096 are, evenly spread.
struct LastWords {
  std::uint32_t one = 0, two = 0;
};
std::vector<float> ending_log_odds(const TokenRows& tokens, std::span<const LastWords> last,
                                   std::span<const char> usual);

}  // namespace athanor::distill
