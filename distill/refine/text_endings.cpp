#include "distill/refine/text_endings.h"

#include <algorithm>
#include <cmath>

namespace athanor::distill {
namespace {

constexpr std::int64_t kMostLearned = 4096;  // texts
// Occurrences that are added: of a word as if it ended texts as often as any word does, of two
// words as if as often as the last of them.
constexpr double kAnyWord = 4, kLastWord = 3;

// How many texts hold a token, and how many end with it, for tokens that are watched.
class EndCounts {
 public:
  struct Count {
    std::uint32_t token = 0, held = 0, ends = 0;  // texts
  };

  EndCounts() : cells_(1024), watched_(kBits / 64) {}
  Count& watch(std::uint32_t token) {
    if (2 * used_ >= cells_.size()) grow();
    Count& count = at(token);
    if (count.token == token) return count;
    ++used_;
    count.token = token;
    const std::uint32_t bit = token % kBits;
    watched_[bit / 64] |= std::uint64_t{1} << bit % 64;
    return count;
  }
  void hold(std::uint32_t token) {
    const std::uint32_t bit = token % kBits;
    if ((watched_[bit / 64] >> bit % 64 & 1) == 0) return;
    Count& count = at(token);
    count.held += count.token == token;
  }
  Count of(std::uint32_t token) { return at(token); }  // zeros if it is not watched

 private:
  Count& at(std::uint32_t token) {
    std::size_t cell = token & (cells_.size() - 1);
    while (cells_[cell].token != 0 && cells_[cell].token != token) {
      cell = (cell + 1) & (cells_.size() - 1);
    }
    return cells_[cell];
  }
  void grow() {
    std::vector<Count> old(2 * cells_.size());
    old.swap(cells_);
    for (const Count& count : old) {
      if (count.token != 0) at(count.token) = count;
    }
  }

  static constexpr std::uint32_t kBits = 1 << 17;  // 16 KB tell most other tokens
  std::vector<Count> cells_;                       // token 0 = free
  std::vector<std::uint64_t> watched_;
  std::size_t used_ = 0;
};

// (ends + strength p) / (texts that hold it + strength), without `own` text.
double end_rate(const EndCounts::Count& count, double own, double strength, double p) {
  // A text of more than 1,000 words does not hold its last one (tokens_of_words).
  const double held = std::max(count.held, count.ends) - own;
  return (count.ends - own + strength * p) / (held + strength);
}

float log_odds(double p) { return std::log(static_cast<float>(p / (1 - p))); }

}  // namespace

std::vector<float> ending_log_odds(const TokenRows& tokens, std::span<const LastWords> last,
                                   std::span<const char> usual) {
  std::vector<float> result(last.size());
  const std::int64_t learned = std::count(usual.begin(), usual.end(), 1);
  const std::int64_t step = std::max((learned + kMostLearned - 1) / kMostLearned, std::int64_t{1});
  std::vector<char> teaches(last.size());
  std::vector<std::int64_t> rows;
  std::int64_t seen = 0;
  EndCounts counts;
  for (std::int64_t i = 0; i < tokens.size(); ++i) {
    if (last[i].one == 0) continue;
    teaches[i] = usual[i] && seen++ % step == 0;
    counts.watch(last[i].one).ends += teaches[i];
    if (!teaches[i]) continue;
    rows.push_back(i);
    if (last[i].two != 0) ++counts.watch(last[i].two).ends;
  }
  double words = 0;
  for (const std::int64_t i : rows) {
    for (const std::uint32_t token : tokens.row(i)) counts.hold(token);
    words += static_cast<double>(tokens.row(i).size() + 1) / 2;  // words and pairs of words
  }
  const double any = static_cast<double>(rows.size()) / words;
  if (!(any < .9)) return result;  // of texts of one word nothing can be told; nor of none
  const float odds_of_any = log_odds(any);
  for (std::size_t i = 0; i < last.size(); ++i) {
    if (last[i].one == 0) continue;
    double p = end_rate(counts.of(last[i].one), teaches[i], kAnyWord, any);
    if (last[i].two != 0) p = end_rate(counts.of(last[i].two), teaches[i], kLastWord, p);
    result[i] = log_odds(std::clamp(p, 1e-6, 1 - 1e-6)) - odds_of_any;
  }
  return result;
}

}  // namespace athanor::distill
