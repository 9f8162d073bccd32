// The `pre_tokenizer` of a tokenizer.json: steps that cut a text into pieces, which a model then
// cuts into tokens.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace athanor::data {

// A text and its pieces as [begin, end) in bytes, none empty.
struct TextPieces {
  std::string text;
  std::vector<std::pair<std::size_t, std::size_t>> spans;

  std::string_view operator[](std::size_t i) const {
    return std::string_view(text).substr(spans[i].first, spans[i].second - spans[i].first);
  }
};

// What becomes of a delimiter between pieces.
enum class Delimiter { removed, isolated, merged_with_previous, merged_with_next, contiguous };

// The patterns of byte-level tokenisers, matched by hand: they need look-ahead.
enum class BytePattern {
  gpt2,    // 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
  llama3,  // the same idea with any case, \p{N}{1,3} and line ends apart
  qwen2    // llama3 with single digits
};
// The pattern with exactly this text; false when it is none of them.
bool find_byte_pattern(std::string_view regex, BytePattern& pattern);

struct BertStep {};             // at white space, punctuation alone
struct WhitespaceStep {};       // \w+|[^\w\s]+
struct WhitespaceSplitStep {};  // at white space
struct PunctuationStep {
  Delimiter behavior = Delimiter::isolated;
};
struct DigitsStep {
  bool individual = false;
};
struct ByteLevelStep {
  bool add_prefix_space = true;
  bool use_regex = true;
};
struct LiteralSplitStep {  // at a literal text; "" stands between all characters
  std::string pattern;
  Delimiter behavior = Delimiter::isolated;
};
struct PatternSplitStep {  // pieces are the matches
  BytePattern pattern = BytePattern::gpt2;
};
using PreTokenizerStep =
    std::variant<BertStep, WhitespaceStep, WhitespaceSplitStep, PunctuationStep, DigitsStep,
                 ByteLevelStep, LiteralSplitStep, PatternSplitStep>;

// Cuts pieces.text (valid UTF-8), which is one piece at first.
void pre_tokenize(TextPieces& pieces, const std::vector<PreTokenizerStep>& steps);

}  // namespace athanor::data
