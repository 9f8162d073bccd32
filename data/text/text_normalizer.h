// The `normalizer` of a tokenizer.json: steps that rewrite a text before it is cut.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "data/text/bert_words.h"
#include "data/text/unicode.h"

namespace athanor::data {

struct LowercaseStep {};
struct StripAccentsStep {};  // drops nonspacing marks, decomposes nothing
struct StripStep {           // white space at the ends
  bool left = true, right = true;
};
struct PrependStep {  // to a text that is not empty
  std::string text;
};
struct ReplaceStep {
  std::string from, to;  // from: literal, not empty
};
using NormalizerStep = std::variant<BertOptions, NormalForm, LowercaseStep, StripAccentsStep,
                                    StripStep, PrependStep, ReplaceStep>;

// Steps in their order. Throws bad_input naming the byte where `text` is no UTF-8.
std::string normalised(std::string_view text, const std::vector<NormalizerStep>& steps);

}  // namespace athanor::data
