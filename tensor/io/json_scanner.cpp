#include "tensor/io/json_scanner.h"

#include <limits>

#include "tensor/base/error.h"
#include "tensor/io/bytes.h"

namespace athanor {
namespace {

void append_utf8(std::string& out, std::uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

// Length of the valid UTF-8 sequence at the front of `text`, 0 if there is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const unsigned first = byte(0);
  if (first < 0x80) return text.empty() ? 0 : 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const unsigned low = first == 0xe0 ? 0xa0 : 0x80;   // no overlong forms
    const unsigned high = first == 0xed ? 0x9f : 0xbf;  // no surrogates
    return byte(1) >= low && byte(1) <= high && continues(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const unsigned low = first == 0xf0 ? 0x90 : 0x80;
    const unsigned high = first == 0xf4 ? 0x8f : 0xbf;  // nothing beyond U+10FFFF
    return byte(1) >= low && byte(1) <= high && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

void JsonScanner::refuse(std::string_view field, std::string_view expected,
                         std::string_view found) const {
  malformed(file_, base_ + at_, field, "expected ", expected, ", found ", found);
}

std::string JsonScanner::found_here() const {
  if (at_ >= text_.size()) return "the end";
  const auto byte = static_cast<unsigned char>(text_[at_]);
  return byte > 0x20 && byte < 0x7f ? str('\'', text_[at_], '\'') : str("byte ", unsigned{byte});
}

void JsonScanner::skip_space() {
  while (at_ < text_.size() &&
         (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) {
    ++at_;
  }
}

void JsonScanner::expect(char punctuation, std::string_view field) {
  if (!accept(punctuation)) refuse(field, str('\'', punctuation, '\''), found_here());
}

bool JsonScanner::accept(char punctuation) {
  skip_space();
  if (at_ >= text_.size() || text_[at_] != punctuation) return false;
  ++at_;
  return true;
}

std::string JsonScanner::string(std::string_view field) {
  expect('"', field);
  std::string out;
  for (;;) {
    if (at_ >= text_.size()) refuse(field, "the end of a string", "the end");
    const char c = text_[at_];
    if (c == '"') break;
    if (c == '\\') {
      ++at_;
      escape(out, field);
    } else {
      utf8_sequence(out, field);
    }
  }
  ++at_;
  return out;
}

void JsonScanner::utf8_sequence(std::string& out, std::string_view field) {
  if (static_cast<unsigned char>(text_[at_]) < 0x20) {
    refuse(field, "no control character in a string", found_here());
  }
  const std::size_t length = utf8_length(text_.substr(at_));
  if (length == 0) refuse(field, "UTF-8", found_here());
  out += text_.substr(at_, length);
  at_ += length;
}

void JsonScanner::escape(std::string& out, std::string_view field) {
  constexpr std::string_view kLetters = "\"\\/bfnrt";
  constexpr std::string_view kValues = "\"\\/\b\f\n\r\t";
  const char letter = at_ < text_.size() ? text_[at_] : '\0';
  const std::size_t known = kLetters.find(letter);
  if (known != std::string_view::npos) {
    out += kValues[known];
    ++at_;
    return;
  }
  if (letter != 'u') refuse(field, "an escape sequence", found_here());
  ++at_;
  std::uint32_t code = hex4(field);
  if (code >= 0xd800 && code < 0xdc00 && text_.substr(at_, 2) == "\\u") {
    at_ += 2;
    const std::uint32_t low = hex4(field);
    if (low < 0xdc00 || low > 0xdfff) refuse(field, "a low surrogate", str(low));
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  } else if (code >= 0xd800 && code < 0xe000) {
    refuse(field, "a surrogate pair", "half of one");
  }
  append_utf8(out, code);
}

std::uint32_t JsonScanner::hex4(std::string_view field) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i, ++at_) {
    const char c = at_ < text_.size() ? text_[at_] : '\0';
    if (c >= '0' && c <= '9') {
      value = value * 16 + static_cast<std::uint32_t>(c - '0');
    } else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) {
      value = value * 16 + static_cast<std::uint32_t>((c | 0x20) - 'a' + 10);
    } else {
      refuse(field, "a hexadecimal digit", found_here());
    }
  }
  return value;
}

std::uint64_t JsonScanner::unsigned_integer(std::string_view field) {
  skip_space();
  const std::size_t begin = at_;
  std::uint64_t value = 0;
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
    const auto digit = static_cast<std::uint64_t>(text_[at_] - '0');
    if (value > (kMax - digit) / 10) refuse(field, "an integer below 2^63", "a larger one");
    value = value * 10 + digit;
  }
  const char next = at_ < text_.size() ? text_[at_] : '\0';
  const bool leading_zero = at_ - begin > 1 && text_[begin] == '0';
  if (at_ == begin || leading_zero || next == '.' || next == 'e' || next == 'E') {
    refuse(field, "an integer >= 0", leading_zero ? "a leading zero" : found_here());
  }
  return value;
}

void JsonScanner::expect_end() {
  skip_space();
  if (at_ != text_.size()) refuse("end of header", "only white space", found_here());
}

std::string json_quoted(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) fail("json_quoted", "expected UTF-8, got byte ", int(std::uint8_t(text[0])));
    const auto byte = static_cast<unsigned char>(text[0]);
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += text[0];
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return out + '"';
}

}  // namespace athanor
