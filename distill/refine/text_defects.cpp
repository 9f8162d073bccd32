#include "distill/refine/text_defects.h"

#include <algorithm>
#include <cctype>
#include <vector>

#include "distill/refine/text_units.h"

namespace athanor::distill {
namespace {

std::vector<std::string_view> characters_of(std::string_view text) {
  std::vector<std::string_view> characters;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    next_character(text, at);
    characters.push_back(text.substr(begin, at - begin));
  }
  return characters;
}

char random_letter(Generator& random) { return static_cast<char>('a' + random.next_below(26)); }

std::string log_line(std::size_t length, Generator& random) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text;
  while (text.size() < length || text.empty()) {
    text += text.empty() ? "[" : " 0x";
    for (int k = 0; k < 6; ++k) text += kHex[random.next_below(16)];
    text += "] err=" + std::to_string(random.next_below(1000)) + ";";
  }
  return text;
}

}  // namespace

std::string truncated(std::string_view text, Generator& random) {
  const auto characters = characters_of(text);
  const double share = .2 + .3 * random.next_uniform();
  const auto count = std::max<std::size_t>(
      1, static_cast<std::size_t>(share * static_cast<double>(characters.size())));
  std::string out;
  for (std::size_t i = 0; i < std::min(count, characters.size()); ++i) out += characters[i];
  return out;
}

std::string with_noise(std::string_view text, Generator& random) {
  std::string out;
  for (const std::string_view c : characters_of(text)) {
    if (random.next_uniform() < .3) {
      out += static_cast<char>('!' + random.next_below('~' - '!' + 1));
    } else {
      out += c;
    }
  }
  return out;
}

std::string foreign_text(std::string_view text, int turn, Generator& random) {
  const auto characters = characters_of(text);
  if (turn % 3 == 1) return log_line(text.size(), random);
  std::string out;
  if (turn % 3 == 0) {
    for (auto c = characters.rbegin(); c != characters.rend(); ++c) out += *c;
    return out;
  }
  for (const std::string_view c : characters) {
    if (c == " ") {
      out += ' ';
    } else {
      out += random_letter(random);
    }
  }
  return out;
}

std::string slightly_changed(std::string_view text, int turn, Generator& random) {
  std::string out(text);
  if (turn % 3 == 0) {
    for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return out + " !";
  }
  const auto characters = characters_of(text);
  if (turn % 3 == 1 && !characters.empty()) {
    out.clear();
    const auto place = static_cast<std::size_t>(random.next_below(std::ssize(characters)));
    for (std::size_t i = 0; i < characters.size(); ++i) {
      if (i == place) {
        out += random_letter(random);
      } else {
        out += characters[i];
      }
    }
    return out;
  }
  const std::size_t word = text.find(' ');
  return word == std::string_view::npos ? out + " " + out
                                        : std::string(text.substr(0, word + 1)) + out;
}

}  // namespace athanor::distill
