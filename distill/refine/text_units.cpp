#include "distill/refine/text_units.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <span>

#include "data/text/unicode.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace athanor::distill {
namespace {

constexpr std::size_t kGram = 5;
constexpr std::size_t kLongWording = 128;  // characters without blanks: about 25 words
constexpr std::size_t kTwoErrors = 64;     // from as many on

constexpr bool is_space(unsigned char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Lower case and single blanks; the text is ASCII.
std::string normalised_ascii(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool blank = false;
  for (const char c : text) {
    if (is_space(static_cast<unsigned char>(c))) {
      blank = !out.empty();
      continue;
    }
    if (blank) out += ' ';
    blank = false;
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  }
  return out;
}

enum class Kind : std::uint8_t { space, letter, cjk, symbol };

bool is_cjk(std::int32_t c) {
  return (c >= 0x3041 && c <= 0x30ff) || (c >= 0x3400 && c <= 0x4dbf) ||
         (c >= 0x4e00 && c <= 0x9fff) || (c >= 0xf900 && c <= 0xfaff) ||
         (c >= 0x20000 && c <= 0x3134f);
}

constexpr std::array<Kind, 0x80> kAsciiKinds = [] {
  std::array<Kind, 0x80> kinds{};
  for (int c = 0; c < 0x80; ++c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
    const bool space = is_space(static_cast<unsigned char>(c));
    kinds[c] = letter ? Kind::letter : space ? Kind::space : Kind::symbol;
  }
  return kinds;
}();

Kind kind_of(std::int32_t c) {
  if (c >= 0 && c < 0x80) return kAsciiKinds[c];
  if (is_cjk(c)) return Kind::cjk;
  switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return Kind::space;
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
      return Kind::letter;
    default:
      return Kind::symbol;
  }
}

}  // namespace

std::uint32_t hash_of(std::string_view bytes) {
  return static_cast<std::uint32_t>(XXH3_64bits(bytes.data(), bytes.size()));
}

std::int32_t next_character(std::string_view text, std::size_t& at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte < 0x80) {
    ++at;
    return byte;
  }
  utf8proc_int32_t c = 0;
  const auto length = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data() + at),
                                       static_cast<utf8proc_ssize_t>(text.size() - at), &c);
  at += length > 0 ? static_cast<std::size_t>(length) : 1;
  return length > 0 ? c : 0xfffd;
}

std::string normalised(std::string_view text) {
  if (data::is_ascii(text)) return normalised_ascii(text);
  std::string valid;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const std::int32_t c = next_character(text, at);
    if (c == 0 || (c == 0xfffd && at == begin + 1)) continue;
    if (kind_of(c) == Kind::space) {
      valid += ' ';
    } else {
      valid += text.substr(begin, at - begin);
    }
  }
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> folded(
      utf8proc_NFKC_Casefold(reinterpret_cast<const utf8proc_uint8_t*>(valid.c_str())), &std::free);
  return normalised_ascii(folded ? reinterpret_cast<const char*>(folded.get()) : valid);
}

void split_words(std::string_view text, Words& words) {
  words = Words{std::move(words.hash)};
  words.hash.clear();
  std::size_t word = 0;  // where the word being read begins
  bool open = false;
  const auto close = [&](std::size_t end) {
    if (!open) return;
    words.hash.push_back(hash_of(text.substr(word, end - word)));
    ++words.plain;
    open = false;
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const auto byte = static_cast<unsigned char>(text[at]);
    const Kind kind = byte < 0x80 ? kAsciiKinds[byte] : kind_of(next_character(text, at));
    at += byte < 0x80;
    ++words.characters;
    if (kind == Kind::letter) {
      ++words.letters;
      if (!open) word = begin;
      open = true;
      continue;
    }
    close(begin);
    if (kind == Kind::space) continue;
    const std::string_view unit = text.substr(begin, at - begin);
    words.letters += kind == Kind::cjk;
    words.cjk += kind == Kind::cjk;
    words.symbols += kind == Kind::symbol;
    // "..." is one unit.
    const bool again = kind == Kind::symbol && begin >= unit.size() &&
                       text.substr(begin - unit.size(), unit.size()) == unit;
    if (!again) words.hash.push_back(hash_of(unit));
  }
  close(text.size());
}

void hash_grams(std::string_view text, std::vector<std::uint32_t>& grams) {
  grams.clear();
  std::size_t begin[kGram] = {};  // of the last kGram characters
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size();) {
    begin[count % kGram] = at;
    next_character(text, at);
    if (++count >= kGram) {
      const std::size_t first = begin[count % kGram];
      grams.push_back(hash_of(text.substr(first, at - first)));
    }
  }
  if (grams.empty()) grams.push_back(hash_of(text));
}

void read_wording(std::string_view text, Wording& out, std::size_t most) {
  out.words.clear();
  out.characters.clear();
  std::size_t begin = 0, first = 0;  // of the word being read: in the text, among the characters
  bool open = false;
  const auto close = [&](std::size_t end) {
    if (!open) return;
    const std::string_view word = text.substr(begin, end - begin);
    if (!out.words.empty() && out.words.back() == word) {
      out.characters.resize(first);
    } else {
      out.words.push_back(word);
    }
    open = false;
  };
  std::size_t at = 0;
  while (at < text.size() && out.characters.size() <= most) {
    const std::size_t here = at;
    const std::int32_t c = next_character(text, at);
    const Kind kind = kind_of(c);
    if (kind != Kind::letter) close(here);
    // A word of its own, which may stand twice.
    if (kind == Kind::cjk) out.words.push_back(text.substr(here, at - here));
    if (kind != Kind::letter && kind != Kind::cjk) continue;
    if (kind == Kind::letter && !open) {
      begin = here;
      first = out.characters.size();
      open = true;
    }
    out.characters.push_back(c);
  }
  if (out.characters.size() <= most) close(at);
}

Wording wording_of(std::string_view text) {
  Wording out;
  read_wording(text, out, text.size());
  return out;
}

bool within_errors(std::span<const std::int32_t> x, std::span<const std::int32_t> y, int errors) {
  while (!x.empty() && !y.empty() && x.front() == y.front()) x = x.subspan(1), y = y.subspan(1);
  if (x.empty() && y.empty()) return true;
  if (errors == 0) return false;
  const bool skip_x = !x.empty() && !data::is_number(x[0]);
  const bool skip_y = !y.empty() && !data::is_number(y[0]);
  if (skip_x && within_errors(x.subspan(1), y, errors - 1)) return true;
  if (skip_y && within_errors(x, y.subspan(1), errors - 1)) return true;
  return !x.empty() && !y.empty() && (skip_x || skip_y) &&
         within_errors(x.subspan(1), y.subspan(1), errors - 1);
}

bool same_wording(std::string_view a, std::string_view b) {
  if (a == b) return true;
  const std::vector<std::int32_t> x = wording_of(a).characters, y = wording_of(b).characters;
  const std::size_t length = std::min(x.size(), y.size());
  return length >= kLongWording || within_errors(x, y, length >= kTwoErrors ? 2 : 1);
}

double gram_jaccard(std::string_view a, std::string_view b) {
  if (a == b) return 1;
  std::vector<std::uint32_t> of_a, of_b;
  const auto set_of = [](std::string_view text, std::vector<std::uint32_t>& grams) {
    hash_grams(text, grams);
    std::sort(grams.begin(), grams.end());
    grams.erase(std::unique(grams.begin(), grams.end()), grams.end());
  };
  set_of(a, of_a);
  set_of(b, of_b);
  std::size_t both = 0;
  for (auto i = of_a.begin(), j = of_b.begin(); i != of_a.end() && j != of_b.end();) {
    if (*i == *j) {
      ++both;
      ++i;
      ++j;
    } else if (*i < *j) {
      ++i;
    } else {
      ++j;
    }
  }
  return static_cast<double>(both) / static_cast<double>(of_a.size() + of_b.size() - both);
}

}  // namespace athanor::distill
