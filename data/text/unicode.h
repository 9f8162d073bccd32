// Characters of UTF-8 text and the classes that tokenisers cut by (Unicode's, through utf8proc).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace athanor::data {

bool is_ascii(std::string_view text);  // every byte is below 0x80

// The character at text[at], and `at` moves behind it; -1, and `at` stays, where the bytes are no
// UTF-8 (overlong forms and surrogates included). at < text.size().
std::int32_t decode_utf8(std::string_view text, std::size_t& at);
void append_utf8(std::string& out, std::int32_t character);
// The offset of the first byte that is no UTF-8; npos when there is none.
std::size_t first_invalid_utf8(std::string_view text);
// Throws bad_input naming the byte unless `text` is UTF-8.
void require_utf8(std::string_view text);

bool is_white_space(std::int32_t c);       // Unicode's White_Space
bool is_control(std::int32_t c);           // Cc, Cf, Co
bool is_punctuation(std::int32_t c);       // P*
bool is_bert_punctuation(std::int32_t c);  // P* and every ASCII symbol
bool is_nonspacing_mark(std::int32_t c);   // Mn
bool is_mark(std::int32_t c);              // M*
bool is_letter(std::int32_t c);            // L*
bool is_number(std::int32_t c);            // N*
bool is_word(std::int32_t c);              // \w of Unicode regular expressions
bool is_chinese(std::int32_t c);           // the blocks that BERT cuts into single characters

// Appends the lower case of c: one character, or two for U+0130.
void append_lower(std::vector<std::int32_t>& out, std::int32_t c);

enum class NormalForm { nfc, nfd, nfkc, nfkd };
// `text` is valid UTF-8.
std::string normal_form(std::string_view text, NormalForm form);
// Appends the full canonical decomposition of c, marks in the order of c's own decomposition.
void append_decomposed(std::vector<std::int32_t>& out, std::int32_t c);
// Sorts runs of marks by combining class, which completes NFD.
void order_marks(std::vector<std::int32_t>& characters);

}  // namespace athanor::data
