#include "data/text/byte_pattern.h"

#include <array>
#include <cstdint>

#include "data/text/unicode.h"

namespace athanor::data {
namespace {

enum class Class : std::uint8_t { letter, number, space, other };

Class class_of(std::int32_t c) {
  static const std::array<Class, 128> ascii = [] {
    std::array<Class, 128> table;
    for (std::int32_t i = 0; i < 128; ++i) {
      table[static_cast<std::size_t>(i)] = is_letter(i)        ? Class::letter
                                           : is_number(i)      ? Class::number
                                           : is_white_space(i) ? Class::space
                                                               : Class::other;
    }
    return table;
  }();
  if (c < 128) return ascii[static_cast<std::size_t>(c)];
  if (is_letter(c)) return Class::letter;
  if (is_number(c)) return Class::number;
  return is_white_space(c) ? Class::space : Class::other;
}

class Scanner {
 public:
  Scanner(std::string_view text, std::size_t at) : text_(text), at_(at) {}

  bool at_end() const { return at_ >= text_.size(); }
  std::size_t at() const { return at_; }
  void move_to(std::size_t at) { at_ = at; }
  // The character here, 0 at the end.
  std::int32_t peek() const {
    std::size_t at = at_;
    return at_end() ? 0 : decode_utf8(text_, at);
  }
  std::int32_t take() { return decode_utf8(text_, at_); }
  bool here(Class wanted) const { return !at_end() && class_of(peek()) == wanted; }
  // Takes characters of this class, at most `limit`; true when there was one.
  bool take_run(Class wanted, std::size_t limit = std::string_view::npos) {
    const std::size_t begin = at_;
    for (; limit > 0 && here(wanted); --limit) take();
    return at_ > begin;
  }
  void take_line_ends() {
    while (!at_end() && (text_[at_] == '\r' || text_[at_] == '\n')) ++at_;
  }

 private:
  std::string_view text_;
  std::size_t at_;
};

// Length of 's 't 're 've 'm 'll 'd at text[at], 0 when it is none. Any case: U+017F is a small s.
std::size_t contraction(std::string_view text, std::size_t at, bool any_case) {
  if (text[at] != '\'') return 0;
  const auto letter = [&](std::size_t i) {
    const char c = i < text.size() ? text[i] : '\0';
    return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  };
  const char first = letter(at + 1), second = letter(at + 2);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
  if ((first == 'r' || first == 'v') && second == 'e') return 3;
  if (first == 'l' && second == 'l') return 3;
  return any_case && text.substr(at + 1, 2) == "\xc5\xbf" ? 3 : 0;
}

// \s+(?!\S)|\s+ : a run of white space without its last character when a word follows.
std::size_t white_space(std::string_view text, std::size_t at) {
  Scanner scan(text, at);
  std::size_t last = at;
  while (scan.here(Class::space)) {
    last = scan.at();
    scan.take();
  }
  return scan.at_end() || last == at ? scan.at() : last;
}

std::size_t match_gpt2(std::string_view text, std::size_t at) {
  if (const std::size_t length = contraction(text, at, false)) return at + length;
  Scanner scan(text, at);
  if (text[at] == ' ') scan.move_to(at + 1);
  for (const Class wanted : {Class::letter, Class::number, Class::other}) {
    if (scan.take_run(wanted)) return scan.at();
  }
  return white_space(text, at);
}

// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|
// \s*[\r\n]+|\s+(?!\S)|\s+
std::size_t match_llama3(std::string_view text, std::size_t at, std::size_t max_digits) {
  if (const std::size_t length = contraction(text, at, true)) return at + length;
  Scanner scan(text, at);
  if (scan.take_run(Class::letter)) return scan.at();
  if (scan.take_run(Class::number, max_digits)) return scan.at();
  const std::int32_t first = scan.take();
  if (first != '\r' && first != '\n' && scan.take_run(Class::letter)) return scan.at();
  scan.move_to(first == ' ' ? at + 1 : at);
  if (scan.take_run(Class::other)) {
    scan.take_line_ends();
    return scan.at();
  }
  // \s*[\r\n]+ : up to the last line end of the white space.
  scan.move_to(at);
  std::size_t line_end = at;
  while (scan.here(Class::space)) {
    const std::int32_t c = scan.take();
    if (c == '\r' || c == '\n') line_end = scan.at();
  }
  return line_end > at ? line_end : white_space(text, at);
}

constexpr std::string_view kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kGpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

}  // namespace

bool find_byte_pattern(std::string_view regex, BytePattern& pattern) {
  if (regex == kGpt2) {
    pattern = BytePattern::gpt2;
  } else if (regex == kLlama3) {
    pattern = BytePattern::llama3;
  } else if (regex == kQwen2) {
    pattern = BytePattern::qwen2;
  } else {
    return false;
  }
  return true;
}

std::size_t match_byte_pattern(std::string_view text, std::size_t at, BytePattern pattern) {
  switch (pattern) {
    case BytePattern::gpt2:
      return match_gpt2(text, at);
    case BytePattern::llama3:
      return match_llama3(text, at, 3);
    case BytePattern::qwen2:
      return match_llama3(text, at, 1);
  }
  return text.size();
}

}  // namespace athanor::data
