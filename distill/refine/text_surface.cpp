#include "distill/refine/text_surface.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>
#include <vector>

#include "data/text/unicode.h"
#include "distill/refine/feature_values.h"

namespace athanor::distill {
namespace {

constexpr std::int64_t kFewest = 50;  // texts that can say what is usual

constexpr std::string_view kStopWords =
    "the of and a to in is was it for on that with as be at by this i you he she they we are not "
    "or "
    "der die das und ist nicht ein eine zu mit den von le la les de et des un une est que pas pour "
    "el los las y en que no se con por una il di che non per gli o os as do da em um uma para "
    "het een van en dat niet op te";

const std::unordered_set<std::uint32_t>& stop_words() {
  static const std::unordered_set<std::uint32_t> set = [] {
    Words words;
    split_words(kStopWords, words);
    return std::unordered_set<std::uint32_t>(words.hash.begin(), words.hash.end());
  }();
  return set;
}

double share_of(std::int64_t part, std::int64_t whole) {
  return static_cast<double>(part) / static_cast<double>(whole);
}

// Lines that stand in the text before, over all that are not blank; 0 for fewer than 4.
double repeated_lines(std::string_view text) {
  std::unordered_set<std::string_view> seen;
  std::int64_t lines = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    ++lines;
    seen.insert(line);
  }
  return lines < 4 ? 0 : share_of(lines - std::ssize(seen), lines);
}

bool is_control(std::int32_t c) {
  return (c < 0x20 && c != '\n' && c != '\t' && c != '\r') || c == 0x7f || c == 0xfffd;
}

std::int64_t control_characters(std::string_view text, bool ascii) {
  if (ascii) return std::count_if(text.begin(), text.end(), is_control);
  std::int64_t count = 0;
  for (std::size_t at = 0; at < text.size();) {
    count += is_control(next_character(text, at));
  }
  return count;
}

// Whether one word makes up more than half (Boyer & Moore 1991: pairs of different words cancel
// out).
bool one_word_prevails(std::span<const std::uint32_t> words) {
  std::uint32_t candidate = 0;
  std::int64_t ahead = 0;
  for (const std::uint32_t word : words) {
    if (ahead == 0) candidate = word;
    ahead += word == candidate ? 1 : -1;
  }
  return 2 * std::count(words.begin(), words.end(), candidate) > std::ssize(words);
}

bool is_closed(std::string_view raw) {
  constexpr std::string_view kMarks = ".!?;:", kBehind = "\"')]}> \t\r\n";
  const std::size_t last = raw.find_last_not_of(kBehind);
  if (last == std::string_view::npos) return false;
  if (kMarks.find(raw[last]) != std::string_view::npos) return true;
  const std::string_view front = raw.substr(0, last + 1);
  // The full-width marks of CJK texts, and the ellipsis.
  constexpr std::string_view kWide[] = {"\xe3\x80\x82", "\xef\xbc\x81", "\xef\xbc\x9f",
                                        "\xe2\x80\xa6"};
  return std::any_of(std::begin(kWide), std::end(kWide),
                     [&](std::string_view mark) { return front.ends_with(mark); });
}

}  // namespace

std::string_view name_of(TextFault fault) {
  switch (fault) {
    case TextFault::empty:
      return "empty";
    case TextFault::word_length:
      return "word_length";
    case TextFault::symbols:
      return "symbols";
    case TextFault::repeated_lines:
      return "repeated_lines";
    case TextFault::repeated_words:
      return "repeated_words";
    case TextFault::stop_words:
      return "stop_words";
    case TextFault::control:
      return "control";
    case TextFault::unlikely:
      return "unlikely";
    case TextFault::ending:
      return "ending";
  }
  return "";
}

TextSurface check_text(std::string_view raw, const Words& words) {
  TextSurface result;
  result.closed = is_closed(raw);
  if (const std::size_t n = words.hash.size(); n > 0) {
    result.last.one = token_of_word(words.hash[n - 1]);
    if (n > 1) result.last.two = token_of_pair(words.hash[n - 2], words.hash[n - 1]);
  }
  const auto check = [&](TextFault fault, bool bad) { result.check(fault, bad); };
  const std::int64_t count = std::ssize(words.hash);
  const bool ascii = data::is_ascii(raw);
  check(TextFault::empty, words.letters == 0);
  if (words.plain >= 3) {
    const double mean = share_of(words.letters - words.cjk, words.plain);
    check(TextFault::word_length, mean < 1.5 || mean > 15);
  }
  if (words.letters + words.symbols >= 8) {
    check(TextFault::symbols, words.symbols > words.letters);
  }
  if (std::count(raw.begin(), raw.end(), '\n') >= 3) {
    check(TextFault::repeated_lines, repeated_lines(raw) > .3);
  }
  if (count >= 8) check(TextFault::repeated_words, one_word_prevails(words.hash));
  if (words.plain >= 25 && words.cjk == 0) {
    const bool any = std::any_of(words.hash.begin(), words.hash.end(),
                                 [](std::uint32_t word) { return stop_words().contains(word); });
    // Letters beyond ASCII belong to scripts whose common words are not listed.
    if (ascii) check(TextFault::stop_words, !any);
  }
  if (!raw.empty()) {
    check(TextFault::control,
          100 * control_characters(raw, ascii) > std::max<std::int64_t>(words.characters, 1));
  }
  return result;
}

namespace {

struct Spread {
  double median = 0, deviation = 0;  // the median absolute one, as of a normal distribution
};
Spread spread_of(std::span<const double> nll) {
  constexpr double kNormal = 1.4826;
  std::vector<double> distance;
  const double median = applicable_quantile(nll, .5);
  for (const double value : nll) {
    if (is_applicable(value)) distance.push_back(std::abs(value - median));
  }
  return {median, kNormal * applicable_quantile(distance, .5)};
}

// By how many robust deviations each value lies above the median of those that count whose texts
// are about as long: parts of equally many such texts, of which those of one length share one. A
// part's deviation is half of that of all at least.
std::vector<double> deviations(std::span<const double> nll, std::span<const std::int64_t> length,
                               std::span<const char> counts) {
  constexpr std::int64_t kParts = 8, kLeastOfPart = 50;
  std::vector<std::int64_t> rows;
  std::vector<double> values;
  for (std::size_t i = 0; i < nll.size(); ++i) {
    if (!counts[i] || !is_applicable(nll[i])) continue;
    rows.push_back(static_cast<std::int64_t>(i));
    values.push_back(nll[i]);
  }
  const double least = spread_of(values).deviation / 2;
  std::stable_sort(rows.begin(), rows.end(),
                   [&](std::int64_t a, std::int64_t b) { return length[a] < length[b]; });
  const std::int64_t n = std::ssize(rows);
  const std::int64_t parts = std::clamp(n / kLeastOfPart, std::int64_t{1}, kParts);
  std::vector<std::int64_t> longest;  // length in each part
  std::vector<Spread> spread;
  for (std::int64_t begin = 0, end = 0; begin < n; begin = end) {
    end = std::min(begin + std::max(n / parts, std::int64_t{1}), n);
    while (end < n && length[rows[end]] == length[rows[end - 1]]) ++end;
    if (n - end < kLeastOfPart) end = n;
    values.clear();
    for (std::int64_t k = begin; k < end; ++k) values.push_back(nll[rows[k]]);
    longest.push_back(length[rows[end - 1]]);
    spread.push_back(spread_of(values));
  }
  std::vector<double> result(nll.size(), kNotApplicable);
  for (std::size_t i = 0; i < nll.size(); ++i) {
    if (!is_applicable(nll[i])) continue;
    const auto at = std::lower_bound(longest.begin(), longest.end(), length[i]) - longest.begin();
    const Spread& part = spread[std::min<std::size_t>(at, spread.size() - 1)];
    result[i] = (nll[i] - part.median) / std::max({part.deviation, least, 1e-12});
  }
  return result;
}

}  // namespace

std::vector<char> usual_texts(std::span<const std::int32_t> missing,
                              std::span<const std::int64_t> group) {
  constexpr std::int64_t kMostOfGroup = 4;
  std::vector<std::int64_t> seen(group.size());
  std::vector<char> usual(group.size());
  for (std::size_t i = 0; i < group.size(); ++i) {
    usual[i] = missing[i] < 0 && ++seen[group[i]] <= kMostOfGroup;
  }
  return usual;
}

void check_corpus(std::span<const double> nll, std::span<const std::int64_t> length,
                  std::span<const char> counts, std::span<TextSurface> surface) {
  constexpr double kFar = 5, kDoubtful = 2, kClosed = .85;
  std::int64_t counted = 0;
  for (std::size_t i = 0; i < nll.size(); ++i) counted += counts[i] && is_applicable(nll[i]);
  if (counted < kFewest) return;
  const std::vector<double> above = deviations(nll, length, counts);
  std::int64_t closed = 0;
  for (const TextSurface& s : surface) closed += s.closed;
  const bool all_closed = share_of(closed, std::ssize(surface)) >= kClosed;
  for (std::size_t i = 0; i < surface.size(); ++i) {
    if (is_applicable(above[i])) {
      surface[i].check(TextFault::unlikely, above[i] > kFar);
      const double from = above[i] > kFar ? kFar : kDoubtful;
      const double doubt = std::clamp((above[i] - from) / (kFar - kDoubtful), 0., 1.);
      surface[i].doubt = static_cast<std::uint8_t>(std::lround(255 * doubt));
    }
    if (all_closed) surface[i].check(TextFault::ending, !surface[i].closed);
  }
}

void check_endings(std::span<const float> ending, std::span<TextSurface> surface) {
  // Of the logarithm of the odds of an ending: 1 : 3,000 counts as a failed check.
  constexpr double kNever = 8;
  if (std::ssize(surface) < kFewest) return;
  for (std::size_t i = 0; i < surface.size(); ++i) {
    const double cut = std::clamp(-ending[i] / kNever, 0., 1.);
    surface[i].cut = static_cast<std::uint8_t>(std::lround(255 * cut));
  }
}

}  // namespace athanor::distill
