#include "distill/refine/character_model.h"

#include <algorithm>
#include <array>
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
// Bytes of text that a model is estimated from: half a million characters tell usual runs of 4 from
// unusual ones, and more would only cost time.
constexpr std::size_t kCounted = std::size_t{1} << 19;

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
    std::uint32_t character = 0, count = 0;
  };

  // Adds the n-grams of a text; their numbers follow in `run`.
  void add(std::string_view text, std::vector<std::uint32_t>& run) {
    // The slots are spread over more memory than the caches hold: all of a text's are asked for
    // before the first is needed.
    wanted_.clear();
    along(text, [&](History h, std::uint32_t c) {
      wanted_.push_back({h, c, hash(h, c)});
      __builtin_prefetch(&slot_[wanted_.back().hash & mask_]);
    });
    for (const Wanted& w : wanted_) run.push_back(add(w));
  }
  // Their counts are those at the last call of count().
  const std::vector<Gram>& in_order() const { return gram_; }
  // `run`: of all texts.
  void count(const std::vector<std::uint32_t>& run) {
    std::vector<std::uint32_t> count(gram_.size());
    for (const std::uint32_t number : run) ++count[number];
    for (std::size_t k = 0; k < count.size(); ++k) gram_[k].count = count[k];
  }

 private:
  static constexpr std::uint32_t kFree = ~0u;  // no character
  struct Slot {
    History history = 0;
    std::uint32_t character = kFree, number = 0;
  };
  struct Wanted {
    History history = 0;
    std::uint32_t character = 0, hash = 0;
  };

  static std::uint32_t hash(History h, std::uint32_t c) {
    const std::uint64_t x = (h ^ std::uint64_t{c} << 43) * 0x9e3779b97f4a7c15u;
    return static_cast<std::uint32_t>(x ^ x >> 32);
  }
  std::uint32_t add(const Wanted& w) {
    for (std::size_t at = w.hash & mask_;; at = (at + 1) & mask_) {
      Slot& slot = slot_[at];
      if (slot.history == w.history && slot.character == w.character) return slot.number;
      if (slot.character != kFree) continue;
      const auto number = static_cast<std::uint32_t>(gram_.size());
      slot = {w.history, w.character, number};
      gram_.push_back({w.history, w.character, 0});
      if (gram_.size() * 2 > slot_.size()) grow();
      return number;
    }
  }
  void grow() {
    std::vector<Slot> before(slot_.size() * 2);
    before.swap(slot_);
    mask_ = slot_.size() - 1;
    for (const Slot& slot : before) {
      if (slot.character == kFree) continue;
      std::size_t at = hash(slot.history, slot.character) & mask_;
      while (slot_[at].character != kFree) at = (at + 1) & mask_;
      slot_[at] = slot;
    }
  }

  std::vector<Gram> gram_;
  std::vector<Wanted> wanted_;  // of the text that is added
  std::vector<Slot> slot_ = std::vector<Slot>(std::size_t{1} << 12);
  std::size_t mask_ = slot_.size() - 1;
};

// A backing-off form of the interpolated model: an n-gram that was seen has its whole probability
// stored, one that was not has its shorter form's times what its context leaves to new characters.
class CharacterModel {
 public:
  CharacterModel() {
    for (int order = 0; order <= kOrder; ++order) cell_[order].resize(cells(order));
  }

  // Learns from `texts` texts whose longest n-grams are these; each holds its shorter ones.
  void learn(const GramCounts& grams, std::uint32_t texts) {
    struct Count {
      std::uint32_t seen = 0, kinds = 0;  // occurrences; different characters that followed
      float p = 0;                        // the probability
    };
    struct Fresh {
      std::uint32_t cell, context, shorter;
    };
    Count all;
    std::vector<Count> count[kOrder + 1];
    std::vector<Fresh> fresh[kOrder + 1];
    for (int order = 0; order <= kOrder; ++order) {
      count[order].resize(cells(order));
      // Before a text stands its beginning.
      if (order < kOrder) count[order][place(order, 0, 0)].seen = texts;
    }
    const std::vector<GramCounts::Gram>& gram_in_order = grams.in_order();
    // Cells are spread over more memory than the caches hold: they are asked for ahead.
    std::vector<std::array<std::uint32_t, kOrder + 1>> places(gram_in_order.size());
    for (std::size_t k = 0; k < places.size(); ++k) {
      for (int order = 0; order <= kOrder; ++order) {
        places[k][order] = place(order, gram_in_order[k].history, gram_in_order[k].character);
      }
    }
    for (std::size_t k = 0; k < places.size(); ++k) {
      const GramCounts::Gram& g = gram_in_order[k];
      for (int order = 1; k + kAhead < places.size() && order <= kOrder; ++order) {
        __builtin_prefetch(&count[order][places[k + kAhead][order]], 1);
      }
      all.seen += g.count;
      std::uint32_t shorter = 0;
      for (int order = 0; order <= kOrder; ++order) {
        const std::uint32_t gram = places[k][order];
        Count& own = count[order][gram];
        if (own.seen == 0) {
          // The context: the last `order` characters, an n-gram of the table below.
          const std::uint32_t context =
              order == 0 ? 0 : place(order - 1, g.history >> kCharBits, last(g.history));
          ++(order == 0 ? all : count[order - 1][context]).kinds;
          fresh[order].push_back({gram, context, shorter});
        }
        own.seen += g.count;
        shorter = gram;
      }
    }
    if (all.seen == 0) return;
    new_ = static_cast<float>(std::log(double(all.kinds) / (all.seen + all.kinds)));
    for (int order = 0; order <= kOrder; ++order) {
      for (std::size_t k = 0; k < fresh[order].size(); ++k) {
        const Fresh& f = fresh[order][k];
        if (order > 0 && k + kAhead < fresh[order].size()) {
          const Fresh& next = fresh[order][k + kAhead];
          __builtin_prefetch(&count[order][next.cell], 1);
          __builtin_prefetch(&count[order - 1][next.context]);
          __builtin_prefetch(&count[order - 1][next.shorter]);
          __builtin_prefetch(&cell_[order][next.cell], 1);
          __builtin_prefetch(&cell_[order - 1][next.context], 1);
        }
        const Count& before = order == 0 ? all : count[order - 1][f.context];
        const double shorter = order == 0 ? 1 / kAlphabet : count[order - 1][f.shorter].p;
        const double with = count[order][f.cell].seen, kinds = std::max(before.kinds, 1u);
        const double value = std::min(1., (with + kinds * shorter) / (before.seen + kinds));
        count[order][f.cell].p = static_cast<float>(value);
        cell_[order][f.cell].log_p = std::min(static_cast<float>(std::log(value)), -1e-6f);
        if (order == 0 || cell_[order - 1][f.context].log_new < 0) continue;
        cell_[order - 1][f.context].log_new =
            static_cast<float>(std::log(kinds / (before.seen + kinds)));
      }
    }
  }

  // Log-probability of a character after a history.
  float log_probability(History h, std::uint32_t c) const {
    float sum = 0;
    for (int order = kOrder; order >= 0; --order) {
      const float log_p = cell_[order][place(order, h, c)].log_p;
      if (log_p < 0) return sum + log_p;
      if (order > 0) sum += cell_[order - 1][place(order - 1, h >> kCharBits, last(h))].log_new;
    }
    static const auto kAny = static_cast<float>(-std::log(kAlphabet));
    return sum + new_ + kAny;
  }

 private:
  // 0 = not seen, or never a context.
  struct Cell {
    float log_p = 0, log_new = 0;
  };
  static constexpr int kBits[kOrder + 1] = {12, 16, 18, 18};
  static constexpr std::size_t cells(int order) { return std::size_t{1} << kBits[order]; }
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

  std::vector<Cell> cell_[kOrder + 1];
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
  half.grams.count(half.run);
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
    for (const GramCounts::Gram& g : halves[half].grams.in_order()) {
      log_p[half].push_back(halves[1 - half].model.log_probability(g.history, g.character));
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
          more = halves[half].grams.in_order()[number].character != kEnd;
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
