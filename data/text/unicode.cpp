#include "data/text/unicode.h"

#include <utf8proc.h>

#include <algorithm>

#include "tensor/base/error.h"

namespace athanor::data {
namespace {

const utf8proc_uint8_t* bytes_of(std::string_view text) {
  return reinterpret_cast<const utf8proc_uint8_t*>(text.data());
}

bool is_ascii_symbol(std::int32_t c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
         (c >= '{' && c <= '~');
}

bool is_circled_letter(std::int32_t c) {  // Other_Alphabetic outside of letters and marks
  return (c >= 0x24b6 && c <= 0x24e9) || (c >= 0x1f130 && c <= 0x1f149) ||
         (c >= 0x1f150 && c <= 0x1f169) || (c >= 0x1f170 && c <= 0x1f189);
}

void append_mapped(std::vector<std::int32_t>& out, std::int32_t c, utf8proc_option_t options) {
  utf8proc_int32_t pieces[32];
  int boundary = 0;
  const auto count = utf8proc_decompose_char(c, pieces, 32, options, &boundary);
  if (count <= 0 || count > 32) {
    out.push_back(c);
    return;
  }
  out.insert(out.end(), pieces, pieces + count);
}

}  // namespace

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0; });
}

std::int32_t decode_utf8(std::string_view text, std::size_t& at) {
  const auto first = static_cast<unsigned char>(text[at]);
  if (first < 0x80) {
    ++at;
    return first;
  }
  utf8proc_int32_t c = -1;
  const auto length =
      utf8proc_iterate(bytes_of(text) + at, static_cast<utf8proc_ssize_t>(text.size() - at), &c);
  if (length <= 0) return -1;
  at += static_cast<std::size_t>(length);
  return c;
}

void append_utf8(std::string& out, std::int32_t character) {
  if (character < 0x80) {
    out += static_cast<char>(character);
    return;
  }
  utf8proc_uint8_t bytes[4];
  const auto length = utf8proc_encode_char(character, bytes);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(length));
}

std::size_t first_invalid_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    if (decode_utf8(text, at) < 0) return at;
  }
  return std::string_view::npos;
}

void require_utf8(std::string_view text) {
  const std::size_t at = first_invalid_utf8(text);
  if (at == std::string_view::npos) return;
  raise(ErrorKind::bad_input, "text: byte ", at, ": expected UTF-8, found byte ",
        static_cast<int>(static_cast<unsigned char>(text[at])));
}

bool is_white_space(std::int32_t c) {
  if (c < 0x80) return c == ' ' || (c >= '\t' && c <= '\r');
  if (c < 0x1680) return c == 0x85 || c == 0xa0;
  return c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
         c == 0x205f || c == 0x3000;
}

bool is_control(std::int32_t c) {
  const auto category = utf8proc_category(c);
  return category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF ||
         category == UTF8PROC_CATEGORY_CO;
}

bool is_punctuation(std::int32_t c) {
  const auto category = utf8proc_category(c);
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

bool is_bert_punctuation(std::int32_t c) {
  return c < 0x80 ? is_ascii_symbol(c) : is_punctuation(c);
}

bool is_nonspacing_mark(std::int32_t c) { return utf8proc_category(c) == UTF8PROC_CATEGORY_MN; }

bool is_mark(std::int32_t c) {
  const auto category = utf8proc_category(c);
  return category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME;
}

bool is_letter(std::int32_t c) {
  const auto category = utf8proc_category(c);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool is_number(std::int32_t c) {
  const auto category = utf8proc_category(c);
  return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
}

bool is_word(std::int32_t c) {
  const auto category = utf8proc_category(c);
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NL) ||
         category == UTF8PROC_CATEGORY_PC || c == 0x200c || c == 0x200d || is_circled_letter(c);
}

bool is_chinese(std::int32_t c) {
  return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) ||
         (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2b73f) ||
         (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
         (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

void append_lower(std::vector<std::int32_t>& out, std::int32_t c) {
  if (c == 0x130) {  // the only character whose lower case is two
    out.push_back('i');
    out.push_back(0x307);
    return;
  }
  out.push_back(utf8proc_tolower(c));
}

// Marks are put in order by a sort, not by utf8proc_map(), whose exchanges take quadratic time on
// long runs of marks.
std::string normal_form(std::string_view text, NormalForm form) {
  const bool compose = form == NormalForm::nfc || form == NormalForm::nfkc;
  const bool compatible = form == NormalForm::nfkc || form == NormalForm::nfkd;
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE |
                                                      (compatible ? UTF8PROC_COMPAT : 0));
  std::vector<std::int32_t> characters;
  for (std::size_t at = 0; at < text.size();) {
    const std::int32_t c = decode_utf8(text, at);
    if (c < 0) fail("normal_form", "expected UTF-8, got other bytes at ", at);
    append_mapped(characters, c, options);
  }
  order_marks(characters);
  auto length = static_cast<utf8proc_ssize_t>(characters.size());
  if (compose) {
    length = utf8proc_normalize_utf32(
        characters.data(), length,
        static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    if (length < 0) fail("normal_form", utf8proc_errmsg(length));
  }
  std::string out;
  for (utf8proc_ssize_t i = 0; i < length; ++i) {
    append_utf8(out, characters[static_cast<std::size_t>(i)]);
  }
  return out;
}

void append_decomposed(std::vector<std::int32_t>& out, std::int32_t c) {
  append_mapped(out, c, UTF8PROC_DECOMPOSE);
}

void order_marks(std::vector<std::int32_t>& characters) {
  const auto rank = [](std::int32_t c) { return utf8proc_get_property(c)->combining_class; };
  for (auto at = characters.begin(); at != characters.end();) {
    if (rank(*at) == 0) {
      ++at;
      continue;
    }
    auto end = at;
    while (end != characters.end() && rank(*end) != 0) ++end;
    std::stable_sort(at, end, [&](std::int32_t a, std::int32_t b) { return rank(a) < rank(b); });
    at = end;
  }
}

}  // namespace athanor::data
