#include "tensor/io/name_map.h"

#include <algorithm>
#include <cstring>

#include "tensor/io/bytes.h"

namespace athanor {
namespace {

constexpr std::size_t kMaxStars = 8;

// "a.*.b**" as literal texts with the stars between them: literals[0] star literals[1] ...
struct Pattern {
  std::vector<std::string_view> literals;
  std::vector<bool> any;  // whether the star is "**", which dots do not stop

  explicit Pattern(std::string_view text) {
    std::size_t begin = 0;
    for (std::size_t at = 0; at < text.size();) {
      if (text[at] != '*') {
        ++at;
        continue;
      }
      literals.push_back(text.substr(begin, at - begin));
      const bool twice = text.substr(at, 2) == "**";
      any.push_back(twice);
      at += twice ? 2 : 1;
      begin = at;
    }
    literals.push_back(text.substr(begin));
  }
};

// Each star takes as little as it can; with kMaxStars stars that is at most length^8 steps in
// theory and a handful on names, so the search is cut off by `budget`.
bool match_from(const Pattern& pattern, std::size_t star, std::string_view rest,
                std::vector<std::string_view>& stars, int& budget) {
  if (star == pattern.any.size()) return rest.empty();
  const std::string_view next = pattern.literals[star + 1];
  for (std::size_t length = 0; length <= rest.size() && --budget > 0; ++length) {
    if (length > 0 && rest[length - 1] == '.' && !pattern.any[star]) return false;
    if (!rest.substr(length).starts_with(next)) continue;
    stars[star] = rest.substr(0, length);
    if (match_from(pattern, star + 1, rest.substr(length + next.size()), stars, budget))
      return true;
  }
  return false;
}

bool matches(std::string_view from, std::string_view name, std::vector<std::string_view>& stars) {
  const Pattern pattern(from);
  if (!name.starts_with(pattern.literals[0])) return false;
  stars.assign(pattern.any.size(), {});
  int budget = 100'000;
  return match_from(pattern, 0, name.substr(pattern.literals[0].size()), stars, budget);
}

std::string filled(std::string_view to, const std::vector<std::string_view>& stars) {
  const Pattern pattern(to);
  std::string out(pattern.literals[0]);
  for (std::size_t i = 0; i < pattern.any.size(); ++i) {
    out.append(stars[i]).append(pattern.literals[i + 1]);
  }
  return out;
}

Tensor transposed(const Tensor& x) {
  const Tensor view(x.storage(), {x.size(1), x.size(0)}, {x.strides()[1], x.strides()[0]},
                    x.offset(), x.dtype());
  Tensor out = empty(view.shape(), view.dtype());
  auto* to = static_cast<char*>(out.raw());
  for_each_row_major_piece(view, [&](const char* data, std::size_t size) {
    std::memcpy(to, data, size);
    to += size;
  });
  return out;
}

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace

NameMap::NameMap(std::vector<NameRule> rules) : rules_(std::move(rules)) {
  for (const NameRule& rule : rules_) {
    const std::size_t from = Pattern(rule.from).any.size(), to = Pattern(rule.to).any.size();
    if ((from != to && !rule.to.empty()) || from > kMaxStars) {
      raise(ErrorKind::usage, "name map: \"", rule.from, "\" = \"", rule.to,
            "\": expected as many stars on both sides, at most ", kMaxStars, ", got ", from,
            " and ", to);
    }
  }
}

NameMap NameMap::parse(std::string_view text, std::string_view file) {
  std::vector<NameRule> rules;
  std::int64_t line = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view rule = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++line;
    rule = trimmed(rule.substr(0, rule.find('#')));
    if (rule.empty()) continue;
    const std::size_t equals = rule.find('=');
    const std::string_view from = trimmed(rule.substr(0, equals));
    if (equals == std::string_view::npos || from.empty()) {
      raise(ErrorKind::bad_input, file, ": line ", line, ": expected \"from = to\", found \"",
            rule.substr(0, 80), "\"");
    }
    NameRule made{std::string(from), {}, false};
    std::string_view to = trimmed(rule.substr(equals + 1));
    constexpr std::string_view kTranspose = "(transpose)";
    if (to.ends_with(kTranspose)) {
      made.transpose = true;
      to = trimmed(to.substr(0, to.size() - kTranspose.size()));
    }
    made.to = to;
    rules.push_back(std::move(made));
  }
  try {
    return NameMap(std::move(rules));
  } catch (const Error& error) {
    throw Error(str(file, ": ", error.what()), ErrorKind::bad_input);
  }
}

int NameMap::match(std::string_view name, std::vector<std::string_view>& stars) const {
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    if (matches(rules_[i].from, name, stars)) return static_cast<int>(i);
  }
  return -1;
}

std::string NameMap::rename(std::string_view name) const {
  std::vector<std::string_view> stars;
  const int rule = match(name, stars);
  if (rule < 0) return std::string(name);
  return filled(rules_[static_cast<std::size_t>(rule)].to, stars);
}

NamedTensors NameMap::apply(const NamedTensors& tensors) const {
  NamedTensors result;
  std::vector<std::string_view> stars;
  for (const auto& [name, tensor] : tensors) {
    const int index = match(name, stars);
    const NameRule* rule = index < 0 ? nullptr : &rules_[static_cast<std::size_t>(index)];
    if (rule && rule->to.empty()) continue;
    if (rule && rule->transpose && tensor.rank() != 2) {
      raise(ErrorKind::bad_input, "name map: ", name, ": expected a matrix to transpose, found ",
            describe(tensor));
    }
    const std::string renamed = rule ? filled(rule->to, stars) : name;
    const Tensor value = rule && rule->transpose ? transposed(tensor) : tensor;
    if (!result.emplace(renamed, value).second) {
      raise(ErrorKind::bad_input, "name map: ", name, ": expected names of their own, found ",
            renamed, " twice");
    }
  }
  return result;
}

std::string describe_difference(const std::vector<std::string>& missing,
                                const std::vector<std::string>& unexpected, std::size_t most) {
  const auto list = [&](const char* title, const std::vector<std::string>& names) {
    std::string text = title;
    for (std::size_t i = 0; i < std::min(most, names.size()); ++i) {
      text += (i ? ", " : "") + names[i];
    }
    if (names.size() > most) text += str(" and ", names.size() - most, " more");
    return text;
  };
  std::string text;
  if (!missing.empty()) text = list("missing: ", missing);
  if (!unexpected.empty()) text += (text.empty() ? "" : "; ") + list("unexpected: ", unexpected);
  return text;
}

}  // namespace athanor
