#include "distill/refine/character_model.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "distill/refine/feature_values.h"
#include "distill/refine/text_units.h"
#include "tensor/base/parallel.h"

namespace athanor::distill {
namespace {

constexpr int kOrder = 3;      // characters of context
constexpr int kCharBits = 21;  // of a code point
constexpr std::uint32_t kEnd = 0x110000;
constexpr double kAlphabet = 4096;
constexpr std::size_t kAhead = 12;  // n-grams whose cells are asked for ahead of their use
// Bytes of text that a model is estimated from: what it takes to learn them is the same for any
// table, and an eighth of a million characters tell usual runs of 4 from unusual ones as well as
// half a million do (docs/refine.md).
constexpr std::size_t kCounted = std::size_t{1} << 17;

// The kOrder characters before the one that is read, the latest in the low bits; before a text
// stand zeros, which no text holds.
using History = std::uint64_t;

History next_history(History h, std::uint32_t c) {
  constexpr History kKept = (History{1} << (kOrder * kCharBits)) - 1;
  return (h << kCharBits | c) & kKept;
}

// Calls fn(history, character) for the characters of a text and for its end.
template <class Fn>
void along(std::string_view text, Fn&& fn) {
  History h = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    std::uint32_t c = byte;
    if (byte < 0x80) {
      ++at;
    } else {
      c = static_cast<std::uint32_t>(next_character(text, at));
    }
    fn(h, c);
    h = next_history(h, c);
  }
  fn(h, kEnd);
}

// How often each character follows each history, exactly; in the order of their first occurrence.
class GramCounts {
 public:
  struct Gram {
    History history = 0;
    std::uint32_t character = 0;
    bool operator==(const Gram&) const = default;
  };

  // Adds the n-grams of a text; their numbers follow in `run`.
  void add(std::string_view text, std::vector<std::uint32_t>& run) {
    // The slots are spread over more memory than the nearest caches hold: all of a text's are asked
    // for before the first is needed.
    wanted_.resize(text.size() + 1);
    Wanted* wanted = wanted_.data();
    along(text, [&](History h, std::uint32_t c) {
      *wanted = {{h, c}, key(h, c)};
      __builtin_prefetch(&slot_[place(wanted++->key)]);
    });
    const std::size_t begin = run.size();
    run.resize(begin + static_cast<std::size_t>(wanted - wanted_.data()));
    std::transform(wanted_.data(), wanted, run.data() + begin,
                   [&](const Wanted& w) { return add(w); });
  }
  const std::vector<Gram>& in_order() const { return gram_; }
  std::uint32_t count(std::size_t number) const { return count_[number]; }
  bool ends(std::uint32_t number) const { return ends_[number] != 0; }  // its text

 private:
  static constexpr std::uint32_t kFree = ~0u;  // no number
  static constexpr std::uint32_t kHashed = 1u << 31;
  struct Slot {
    std::uint32_t key = 0, number = kFree;
  };
  struct Wanted {
    Gram gram;
    std::uint32_t key = 0;
  };

  // An n-gram of ASCII and ends is its own key; others have a hash from kHashed on.
  static std::uint32_t key(History h, std::uint32_t c) {
    constexpr History kAscii = 0x7f | History{0x7f} << kCharBits | History{0x7f} << (2 * kCharBits);
    if ((h & ~kAscii) == 0 && (c < 0x80 || c == kEnd)) {
      const History packed = (h & 0x7f) | (h >> 14 & 0x3f80) | (h >> 28 & 0x1fc000);
      return static_cast<std::uint32_t>(packed << 8 | (c == kEnd ? 0x80 : c));
    }
    const std::uint64_t x = (h + c * 0xd6e8feb86659fd93u) * 0x9e3779b97f4a7c15u;
    return static_cast<std::uint32_t>(x >> 32) | kHashed;
  }
  std::size_t place(std::uint32_t key) const {
    return (key * std::uint64_t{0x9e3779b97f4a7c15u}) >> shift_;
  }
  std::uint32_t add(const Wanted& w) {
    for (std::size_t at = place(w.key);; at = (at + 1) & (slot_.size() - 1)) {
      const Slot slot = slot_[at];
      if (slot.number == kFree) return insert(at, w);
      if (slot.key != w.key || (w.key >= kHashed && gram_[slot.number] != w.gram)) continue;
      ++count_[slot.number];
      return slot.number;
    }
  }
  std::uint32_t insert(std::size_t at, const Wanted& w) {
    const auto number = static_cast<std::uint32_t>(gram_.size());
    slot_[at] = {w.key, number};
    gram_.push_back(w.gram);
    count_.push_back(1);
    ends_.push_back(w.gram.character == kEnd);
    if (gram_.size() * 2 > slot_.size()) grow();
    return number;
  }
  void grow() {
    std::vector<Slot> before(slot_.size() * 4);
    before.swap(slot_);
    shift_ -= 2;
    for (const Slot& slot : before) {
      if (slot.number == kFree) continue;
      std::size_t at = place(slot.key);
      while (slot_[at].number != kFree) at = (at + 1) & (slot_.size() - 1);
      slot_[at] = slot;
    }
  }

  std::vector<Gram> gram_;
  std::vector<std::uint32_t> count_;  // by number
  std::vector<char> ends_;
  std::vector<Wanted> wanted_;  // of the text that is added
  int shift_ = 52;              // a key's place stands in the 64 - shift_ highest bits of its hash
  std::vector<Slot> slot_ = std::vector<Slot>(std::size_t{1} << (64 - shift_));
};

// A backing-off form of the interpolated model: an n-gram that was seen has its whole probability
// stored, one that was not has its shorter form's times what its context leaves to new characters.
// n-grams of one hash share a cell. Cells are numbered from 1 in the order of their first use, so
// that a model is as large as what it learned beside a table of their numbers.
class CharacterModel {
 public:
  CharacterModel() {
    for (int order = 0; order <= kOrder; ++order) number_[order].resize(places(order));
  }

  // Learns from `texts` texts whose longest n-grams are these; each holds its shorter ones.
  void learn(const GramCounts& grams, std::uint32_t texts) {
    const std::vector<GramCounts::Gram>& gram = grams.in_order();
    for (int order = 0; order <= kOrder; ++order) {
      // At most so many; memory that is not used is not touched.
      count_[order].reserve(std::min(gram.size() + 1, places(order)) + 1);
      count_[order].resize(1);
    }
    // Before a text stands its beginning.
    for (int order = 0; order < kOrder; ++order) {
      count_[order][number(order, place(order, 0, 0))].seen = texts;
    }
    // Numbers are spread over more memory than the caches hold: they are asked for ahead.
    using Places = std::array<std::uint32_t, kOrder + 1>;
    std::array<Places, kAhead> ahead;
    for (std::size_t k = 0; k < gram.size() + kAhead; ++k) {
      Places& places = ahead[k % kAhead];
      if (k >= kAhead) add(gram[k - kAhead], grams.count(k - kAhead), places);
      if (k >= gram.size()) continue;
      for (int order = 0; order <= kOrder; ++order) {
        places[order] = place(order, gram[k].history, gram[k].character);
        __builtin_prefetch(&number_[order][places[order]]);
      }
    }
    probabilities();
    for (std::vector<Count>& count : count_) count = {};
    // The longest n-grams are no context: their places hold the probabilities themselves.
    for (std::uint32_t& number : number_[kOrder]) {
      number = std::bit_cast<std::uint32_t>(cell_[kOrder][number].log_p);
    }
    cell_[kOrder] = {};
  }

  // Asks for what log_probability() looks up first.
  void prefetch(History h, std::uint32_t c) const {
    __builtin_prefetch(&number_[kOrder][place(kOrder, h, c)]);
  }

  // Log-probability of a character after a history; after learn().
  float log_probability(History h, std::uint32_t c) const {
    const auto longest = std::bit_cast<float>(number_[kOrder][place(kOrder, h, c)]);
    if (longest < 0) return longest;
    float sum = 0;
    for (int order = kOrder - 1; order >= 0; --order) {
      sum += cell_[order][number_[order][place(order, h >> kCharBits, last(h))]].log_new;
      const float log_p = cell_[order][number_[order][place(order, h, c)]].log_p;
      if (log_p < 0) return sum + log_p;
    }
    static const auto kAny = static_cast<float>(-std::log(kAlphabet));
    return sum + new_ + kAny;
  }

 private:
  // 0 = not seen, or never a context. Number 0 is a cell that is neither.
  struct Cell {
    float log_p = 0, log_new = 0;
  };
  static constexpr std::uint32_t kAll = 1;  // the context of single characters
  // Of a cell while the model learns.
  struct Count {
    std::uint32_t seen = 0, kinds = 0;  // occurrences; different characters that followed
    // Numbers of the context and of the shorter n-gram; 0 where no n-gram brought the cell about.
    std::uint32_t context = 0, shorter = 0;
    float p = 0;
  };
  static constexpr int kBits[kOrder + 1] = {12, 16, 18, 18};
  static constexpr std::size_t places(int order) { return std::size_t{1} << kBits[order]; }
  static std::uint32_t last(History h) {
    return static_cast<std::uint32_t>(h & ((History{1} << kCharBits) - 1));
  }
  // Of the n-gram of `order` characters of context and one more.
  static std::uint32_t place(int order, History h, std::uint32_t c) {
    const History context = h & ((History{1} << (order * kCharBits)) - 1);
    std::uint64_t x = context * 0x9e3779b97f4a7c15u + (std::uint64_t{c} + 1) * 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    return static_cast<std::uint32_t>(x >> (64 - kBits[order]));
  }

  // Of the cell at a place, which is made where there was none.
  std::uint32_t number(int order, std::uint32_t place) {
    std::uint32_t& number = number_[order][place];
    if (number == 0) {
      number = static_cast<std::uint32_t>(count_[order].size());
      count_[order].emplace_back();
    }
    return number;
  }

  void add(const GramCounts::Gram& gram, std::uint32_t count,
           const std::array<std::uint32_t, kOrder + 1>& places) {
    all_.seen += count;
    std::uint32_t shorter = 0;
    for (int order = 0; order <= kOrder; ++order) {
      const std::uint32_t own_number = number(order, places[order]);
      Count& own = count_[order][own_number];
      if (own.seen == 0) {
        // The context: the last `order` characters, an n-gram of the table below.
        own.context = order == 0 ? kAll
                                 : number(order - 1, place(order - 1, gram.history >> kCharBits,
                                                           last(gram.history)));
        own.shorter = shorter;
        ++before(order, own).kinds;
      }
      own.seen += count;
      shorter = own_number;
    }
  }
  Count& before(int order, const Count& own) {
    return order == 0 ? all_ : count_[order - 1][own.context];
  }

  // From the counts.
  void probabilities() {
    for (int order = 0; order <= kOrder; ++order) cell_[order].resize(count_[order].size());
    if (all_.seen == 0) return;
    new_ = static_cast<float>(std::log(double(all_.kinds) / (all_.seen + all_.kinds)));
    for (int order = 0; order <= kOrder; ++order) {
      for (std::size_t k = 1; k < count_[order].size(); ++k) {
        Count& own = count_[order][k];
        if (own.context == 0) continue;
        const Count& context = before(order, own);
        const double shorter = order == 0 ? 1 / kAlphabet : count_[order - 1][own.shorter].p;
        const double kinds = std::max(context.kinds, 1u), all = context.seen + kinds;
        const double value = std::min(1., (own.seen + kinds * shorter) / all);
        own.p = static_cast<float>(value);
        cell_[order][k].log_p = std::min(static_cast<float>(std::log(value)), -1e-6f);
        if (order == 0 || cell_[order - 1][own.context].log_new < 0) continue;
        cell_[order - 1][own.context].log_new = static_cast<float>(std::log(kinds / all));
      }
    }
  }

  std::vector<std::uint32_t> number_[kOrder + 1];  // by place; 0 = no cell
  std::vector<Count> count_[kOrder + 1];
  std::vector<Cell> cell_[kOrder + 1];
  Count all_;
  float new_ = 0;
};

// Which half of the texts; no period that a file's order could share.
int half_of(std::int64_t i) {
  return static_cast<int>(static_cast<std::uint64_t>(i) * 0x9e3779b97f4a7c15u >> 63);
}

// The texts of one half that are learned from: their n-grams one after the other, so that another
// model judges each n-gram once.
struct Half {
  GramCounts grams;
  std::vector<std::uint32_t> run;  // numbers of n-grams
  std::uint32_t texts = 0;
  CharacterModel model;
};

constexpr std::size_t kNotLearned = ~std::size_t{0};

// Reads one half; begin[i] = where text i stands in its run.
void read_half(const TextArena& texts, int which, Half& half, std::vector<std::size_t>& begin) {
  const std::int64_t n = texts.size();
  std::size_t total = 0, passed = 0, taken = 0;
  for (std::int64_t i = 0; i < n; ++i) total += half_of(i) == which ? texts[i].size() : 0;
  const double share = std::min(1., double(kCounted) / double(std::max<std::size_t>(total, 1)));
  half.run.reserve(std::min(total, kCounted) + static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) {
    if (half_of(i) != which || texts[i].empty()) continue;
    if (double(taken) <= share * double(passed)) {
      begin[i] = half.run.size();
      half.grams.add(texts[i], half.run);
      ++half.texts;
      taken += texts[i].size();
    }
    passed += texts[i].size();
  }
  half.model.learn(half.grams, half.texts);
}

}  // namespace

std::vector<double> character_nll(const TextArena& texts) {
  const std::int64_t n = texts.size();
  std::array<Half, 2> halves;
  std::vector<std::size_t> begin_of(static_cast<std::size_t>(n), kNotLearned);
  parallel_chunks(2, [&](std::int64_t half) {
    read_half(texts, static_cast<int>(half), halves[half], begin_of);
  });
  std::array<std::vector<float>, 2> log_p;  // of each half's n-grams, by the other half's model
  parallel_chunks(2, [&](std::int64_t half) {
    const std::vector<GramCounts::Gram>& gram = halves[half].grams.in_order();
    const CharacterModel& other = halves[1 - half].model;
    log_p[half].resize(gram.size());
    for (std::size_t k = 0; k < gram.size(); ++k) {
      if (k + kAhead < gram.size()) {
        other.prefetch(gram[k + kAhead].history, gram[k + kAhead].character);
      }
      log_p[half][k] = other.log_probability(gram[k].history, gram[k].character);
    }
  });
  std::vector<double> nll(static_cast<std::size_t>(n), kNotApplicable);
  parallel_for(n, 1024, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      if (texts[i].empty()) continue;
      const int half = half_of(i);
      const bool learned = begin_of[i] != kNotLearned;
      const std::uint32_t* gram = learned ? halves[half].run.data() + begin_of[i] : nullptr;
      const CharacterModel& other = halves[1 - half].model;
      double sum = 0;
      std::int64_t characters = 0;
      if (learned) {
        // The texts' own characters are not needed: its last n-gram ends it.
        for (bool more = true; more; ++characters) {
          const std::uint32_t number = gram[characters];
          sum -= log_p[half][number];
          more = !halves[half].grams.ends(number);
        }
      } else {
        along(texts[i], [&](History h, std::uint32_t c) {
          sum -= other.log_probability(h, c);
          ++characters;
        });
      }
      nll[i] = sum / static_cast<double>(characters);
    }
  });
  return nll;
}

}  // namespace athanor::distill
