// Feature 8, surface validity of texts: cheap heuristics that need no model.
#pragma once

#include <cstdint>
#include <string_view>

#include "distill/refine/text_units.h"

namespace athanor::distill {

// Bits of a mask of failed checks. In parentheses: where the check applies.
enum class TextFault : std::uint8_t {
  empty = 1,            // no letter or digit at all
  word_length = 2,      // mean length of words outside [1.5, 15] (3 words that are not CJK)
  symbols = 4,          // more than half of the characters are symbols (8 characters)
  repeated_lines = 8,   // more than 30% of the lines stand there before (4 lines)
  repeated_words = 16,  // one word makes up more than half (8 words)
  stop_words = 32,      // none of the commonest words of seven languages (25 Latin words)
  control = 64,         // more than 1% control or replacement characters
};
inline constexpr TextFault kTextFaults[] = {TextFault::empty,          TextFault::word_length,
                                            TextFault::symbols,        TextFault::repeated_lines,
                                            TextFault::repeated_words, TextFault::stop_words,
                                            TextFault::control};
std::string_view name_of(TextFault fault);

struct TextSurface {
  std::uint8_t faults = 0;  // bits of TextFault
  double share = 1;         // checks passed / checks applied
};

// `raw` is the text as it stands in the record, `words` the units of its normalised form.
TextSurface check_text(std::string_view raw, const Words& words);

}  // namespace athanor::distill
