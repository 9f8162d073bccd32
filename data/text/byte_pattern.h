// The regular expressions of byte-level tokenisers as scanners: they need look-ahead and Unicode
// classes, and run over every text.
#pragma once

#include <cstddef>
#include <string_view>

#include "data/text/pre_tokenizer.h"

namespace athanor::data {

// The end of the match that begins at text[at]; every text is matched without gaps. Time is linear
// in the length of the text over all matches of it.
std::size_t match_byte_pattern(std::string_view text, std::size_t at, BytePattern pattern);

}  // namespace athanor::data
