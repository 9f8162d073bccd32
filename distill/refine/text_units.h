// Texts in the form that the features of stage 1 compare: normalised, as words, as 5-grams.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace athanor::distill {

// UTF-8 text in NFKC with case folded (Unicode's NFKC_Casefold), runs of white space as one blank,
// none at the ends. Bytes that are no UTF-8 are left out.
std::string normalised(std::string_view text);

// Hashes of the units of a normalised text, in order: a word is a run of letters, digits and marks;
// a Han, Hiragana or Katakana character and a run of one punctuation mark or symbol are words of
// their own.
struct Words {
  std::vector<std::uint32_t> hash;
  std::int64_t letters = 0;  // characters in words of letters and digits, CJK included
  std::int64_t cjk = 0;      // Han, Hiragana, Katakana characters
  std::int64_t symbols = 0;  // punctuation and symbols
  std::int64_t characters = 0;
  std::int64_t plain = 0;  // words of letters and digits that are not CJK
};
void split_words(std::string_view normalised_text, Words& words);
// Of one such unit.
std::uint32_t hash_of(std::string_view unit);

// Hashes of all 5-grams of characters of a normalised text, repeated ones included; a shorter text
// is one gram.
void hash_grams(std::string_view normalised_text, std::vector<std::uint32_t>& grams);

// |A and B| / |A or B| of the sets of 5-grams of two normalised texts.
double gram_jaccard(std::string_view a, std::string_view b);

// What a normalised text says: its words, without those that repeat the one before (CJK characters
// may), and their characters one behind the other. Views of the text.
struct Wording {
  std::vector<std::string_view> words;
  std::vector<std::int32_t> characters;
};
// `out` is overwritten, and its memory used again. Reading ends behind the character of which there
// are more than `most`.
void read_wording(std::string_view normalised_text, Wording& out, std::size_t most);
Wording wording_of(std::string_view normalised_text);

// Whether so many errors turn x into y: a character put in, left out or replaced, but for digits.
bool within_errors(std::span<const std::int32_t> x, std::span<const std::int32_t> y, int errors);

// Whether two nearly equal normalised texts are of the same wording: they differ in nothing but
// spaces, punctuation and symbols, words that repeat the one before, and at most one character (two
// where both have at least 64 in words) that is put in, left out or replaced (a digit that is put
// in or left out, or that replaces another one, makes another wording), or both have at least 128
// characters in words, of which a few make no other text.
bool same_wording(std::string_view a, std::string_view b);

// The next character of UTF-8 `text` at `at`, which moves behind it.
std::int32_t next_character(std::string_view text, std::size_t& at);

}  // namespace athanor::distill
