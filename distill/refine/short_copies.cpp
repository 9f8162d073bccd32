#include "distill/refine/short_copies.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>
#include <vector>

#include "distill/refine/minhash.h"
#include "distill/refine/text_units.h"
#include "tensor/base/parallel.h"

namespace athanor::distill {
namespace {

constexpr std::size_t kLongest = 64;        // in characters of words
constexpr std::size_t kMostBytes = 256;     // of a text that is looked at
constexpr std::size_t kLeastOfWords = 4;    // characters of texts of the same words
constexpr std::size_t kLeastOfError = 8;    // characters of texts with a typing error
constexpr std::size_t kLeastOfWord = 4;     // characters of a word that only an error makes
constexpr std::ptrdiff_t kLeastShared = 2;  // words that a text with an error has right
constexpr std::size_t kParts = 3;
constexpr std::size_t kPairs = 1 << 16;  // candidates that are compared at a time

// Texts that are an error apart, the shorter one of m characters, are equal outside one third of
// the m: before it counted from the beginning, behind it from the end. So a text has one key for
// each third of its length, and of a length of one less: three for an even length, three for an
// odd.
using Keys = std::array<std::uint32_t, 2 * kParts>;

Keys keys_of(std::span<const std::int32_t> text) {
  Keys keys{};
  for (std::size_t shorter = 0; shorter < 2; ++shorter) {
    const std::size_t m = text.size() - shorter;
    for (std::size_t part = 0; part < kParts; ++part) {
      const std::size_t front = part * m / kParts, back = m - (part + 1) * m / kParts;
      std::uint64_t hash = m;
      const auto add = [&](std::int32_t c) {
        hash = (hash ^ static_cast<std::uint32_t>(c)) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 32;
      };
      for (const std::int32_t c : text.first(front)) add(c);
      for (const std::int32_t c : text.last(back)) add(c);
      keys[m % 2 * kParts + part] = static_cast<std::uint32_t>(hash);
    }
  }
  return keys;
}

using Pair = std::pair<std::int64_t, std::int64_t>;

class ShortCopies {
 public:
  ShortCopies(const TableRecords& records, Components& groups, Components& wordings)
      : r_(records), groups_(groups), wordings_(wordings) {}

  void run(std::span<const char> skip) {
    const std::int64_t n = r_.size();
    std::vector<Keys> keys(static_cast<std::size_t>(n));
    std::vector<char> out(skip.begin(), skip.end());
    parallel_for(n, 1024, [&](std::int64_t begin, std::int64_t end) {
      Wording wording;
      for (std::int64_t i = begin; i < end; ++i) {
        const std::string_view text = r_.text[i];
        if (out[i] || text.size() < kLeastOfWords || text.size() > kMostBytes) {
          out[i] = 1;
          continue;
        }
        read_wording(text, wording, kLongest);
        const std::size_t length = wording.characters.size();
        out[i] = length < kLeastOfWords || length > kLongest;
        if (!out[i]) keys[i] = keys_of(wording.characters);
      }
    });
    if (keys.empty()) return;
    for_each_with_key({keys.data()->data(), keys.size() * 2 * kParts}, 2 * kParts, out,
                      [&](std::int64_t i, std::int64_t j) {
                        if (wordings_.find(i) == wordings_.find(j)) return;
                        candidate_.emplace_back(i, j);
                        if (candidate_.size() >= kPairs) compare();
                      });
    compare();
    join_errors();
  }

 private:
  enum class Likeness : char { none, words, error };

  Likeness compare(const Pair& pair) const {
    const Wording a = wording_of(r_.text[pair.first]), b = wording_of(r_.text[pair.second]);
    if (a.words == b.words) return Likeness::words;
    if (std::min(a.characters.size(), b.characters.size()) < kLeastOfError ||
        !within_errors(a.characters, b.characters, 1)) {
      return Likeness::none;
    }
    const auto shared = std::count_if(a.words.begin(), a.words.end(), [&](std::string_view word) {
      return std::find(b.words.begin(), b.words.end(), word) != b.words.end();
    });
    return shared >= kLeastShared ? Likeness::error : Likeness::none;
  }

  void compare() {
    std::sort(candidate_.begin(), candidate_.end());
    candidate_.erase(std::unique(candidate_.begin(), candidate_.end()), candidate_.end());
    std::vector<Likeness> like(candidate_.size());
    parallel_for(std::ssize(candidate_), 64, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t k = begin; k < end; ++k) like[k] = compare(candidate_[k]);
    });
    for (std::size_t k = 0; k < candidate_.size(); ++k) {
      if (like[k] == Likeness::words) join(candidate_[k]);
      if (like[k] == Likeness::error) error_.push_back(candidate_[k]);
    }
    candidate_.clear();
  }

  void join(const Pair& pair) {
    groups_.join(pair.first, pair.second);
    wordings_.join(pair.first, pair.second);
  }

  // Tokens of the longer words that one of two texts has and the other has not.
  std::vector<std::uint32_t> different_words(const Pair& pair) const {
    std::vector<std::uint32_t> tokens;
    const auto add = [&](const Wording& of, const Wording& other) {
      for (const std::string_view word : of.words) {
        if (std::count(other.words.begin(), other.words.end(), word) > 0) continue;
        std::size_t characters = 0;
        for (std::size_t at = 0; at < word.size(); ++characters) next_character(word, at);
        if (characters >= kLeastOfWord) tokens.push_back(token_of_word(hash_of(word)));
      }
    };
    const Wording a = wording_of(r_.text[pair.first]), b = wording_of(r_.text[pair.second]);
    add(a, b);
    add(b, a);
    return tokens;
  }

  void join_errors() {
    std::sort(error_.begin(), error_.end());
    error_.erase(std::unique(error_.begin(), error_.end()), error_.end());
    std::vector<std::vector<std::uint32_t>> words;
    std::unordered_map<std::uint32_t, std::int64_t> group_with;  // a word, or one of several
    constexpr std::int64_t kNone = -1, kSeveral = -2;
    std::vector<char> wanted(std::size_t{1} << kBits);  // by a token's highest bits
    for (const Pair& pair : error_) {
      words.push_back(different_words(pair));
      for (const std::uint32_t token : words.back()) {
        group_with.emplace(token, kNone);
        wanted[token >> (32 - kBits)] = 1;
      }
    }
    if (group_with.empty()) return;
    for (std::int64_t i = 0; i < r_.tokens.size(); ++i) {
      for (const std::uint32_t token : r_.tokens.row(i)) {
        if (!wanted[token >> (32 - kBits)]) continue;
        const auto at = group_with.find(token);
        if (at == group_with.end()) continue;
        const std::int64_t group = groups_.find(i);
        if (at->second == kNone) at->second = group;
        if (at->second != group) at->second = kSeveral;
      }
    }
    for (std::size_t k = 0; k < error_.size(); ++k) {
      const bool made = std::any_of(words[k].begin(), words[k].end(), [&](std::uint32_t token) {
        return group_with.at(token) != kSeveral;
      });
      if (made) join(error_[k]);
    }
  }

  static constexpr int kBits = 16;
  const TableRecords& r_;
  Components &groups_, &wordings_;
  std::vector<Pair> candidate_, error_;
};

}  // namespace

void join_short_copies(const TableRecords& records, std::span<const char> skip, Components& groups,
                       Components& wordings) {
  ShortCopies(records, groups, wordings).run(skip);
}

}  // namespace athanor::distill
