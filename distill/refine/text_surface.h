// Feature 8, surface validity of texts: cheap heuristics that need no model.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "distill/refine/text_endings.h"
#include "distill/refine/text_units.h"

namespace athanor::distill {

// Bits of a mask of failed checks. In parentheses: where the check applies. One more check is never
// failed, only in doubt: whether the text was cut off (check_endings).
enum class TextFault : std::uint16_t {
  empty = 1,            // no letter or digit at all
  word_length = 2,      // mean length of words outside [1.5, 15] (3 words that are not CJK)
  symbols = 4,          // more than half of the characters are symbols (8 characters)
  repeated_lines = 8,   // more than 30% of the lines stand there before (4 lines)
  repeated_words = 16,  // one word makes up more than half (8 words)
  stop_words = 32,      // none of the commonest words of seven languages (25 Latin words)
  control = 64,         // more than 1% control or replacement characters
  unlikely = 128,       // characters far less likely than the other texts' (check_corpus)
  ending = 256,  // no sentence mark at the end where nearly all texts have one (check_corpus)
};
inline constexpr TextFault kTextFaults[] = {
    TextFault::empty,          TextFault::word_length,    TextFault::symbols,
    TextFault::repeated_lines, TextFault::repeated_words, TextFault::stop_words,
    TextFault::control,        TextFault::unlikely,       TextFault::ending};
std::string_view name_of(TextFault fault);

struct TextSurface {
  std::uint16_t faults = 0;  // bits of TextFault
  std::uint8_t applied = 0, failed = 0;
  bool closed = false;  // ends with a sentence mark, or a quote or bracket behind one
  // 255ths of a failed check: how nearly the text is `unlikely`, how much it looks cut off.
  std::uint8_t doubt = 0, cut = 0;
  LastWords last;

  bool has(TextFault fault) const { return (faults & static_cast<std::uint16_t>(fault)) != 0; }
  // Of the checks that apply, what holds, less what is in doubt.
  double share() const {
    return applied > 0 ? std::max(1 - (failed + (doubt + cut) / 255.) / applied, 0.) : 1;
  }
  void check(TextFault fault, bool bad) {
    ++applied;
    failed += bad;
    if (bad) faults |= static_cast<std::uint16_t>(fault);
  }
};

// `raw` is the text as it stands in the record, `words` the units of its normalised form.
TextSurface check_text(std::string_view raw, const Words& words);

// 1 for the texts that say what is usual: of records that lack nothing (`missing` < 0), and of each
// group of copies (uniqueness.h) the first four: what stands there hundreds of times, as "no
// answer" may, is not what other texts are like.
std::vector<char> usual_texts(std::span<const std::int32_t> missing,
                              std::span<const std::int64_t> group);

// What only the whole corpus can tell; `nll` of character_nll(), `length` in bytes, `counts` of
// usual_texts(). unlikely: above the median by more than 5 robust deviations (1.4826
// times the median absolute deviation), each among texts that count of about that length (an eighth
// of them; short texts vary more), applied to all where 50 count; in doubt from 2 deviations on, in
// proportion, and beyond 5 as far again, where it counts as two checks. ending: applied where at
// least 85% of the texts are closed.
void check_corpus(std::span<const double> nll, std::span<const std::int64_t> length,
                  std::span<const char> counts, std::span<TextSurface> surface);

// Whether texts were cut off, `ending` being of ending_log_odds(): in doubt where a text ends
// behind words that stand within texts more often than any word does, in proportion to the
// logarithm of how much more often. For 50 texts or more.
void check_endings(std::span<const float> ending, std::span<TextSurface> surface);

}  // namespace athanor::distill
