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

// A backing-off form of the interpolated model: an n-gram that was seen has its whole probability
// stored, one that was not has its shorter form's times what its context leaves to new characters.
class CharacterModel {
 public:
  CharacterModel() {
    for (int order = 0; order <= kOrder; ++order) cell_[order].resize(cells(order));
  }

  // Learns from the texts that fn(add) hands to add().
  template <class Fn>
  void learn(Fn&& each_text) {
    struct Count {
      std::uint32_t seen = 0, kinds = 0;  // occurrences; different characters that followed
    };
    struct Fresh {
      std::uint32_t cell, context, shorter;
    };
    Count all;
    std::vector<Count> count[kOrder + 1];
    std::vector<Fresh> fresh[kOrder + 1];
    for (int order = 0; order <= kOrder; ++order) count[order].resize(cells(order));
    each_text([&](std::string_view text) {
      // context[o]: the last o characters, an n-gram of the table below.
      std::array<std::uint32_t, kOrder + 1> context{}, gram{};
      for (int order = 1; order <= kOrder; ++order) {
        context[order] = place(order - 1, 0, 0);
        ++count[order - 1][context[order]].seen;
      }
      along(text, [&](History h, std::uint32_t c) {
        ++all.seen;
        for (int order = 0; order <= kOrder; ++order) {
          gram[order] = place(order, h, c);
          if (count[order][gram[order]].seen++ > 0) continue;
          ++(order == 0 ? all : count[order - 1][context[order]]).kinds;
          fresh[order].push_back({gram[order], context[order], order ? gram[order - 1] : 0});
        }
        for (int order = 1; order <= kOrder; ++order) context[order] = gram[order - 1];
      });
    });
    if (all.seen == 0) return;
    new_ = static_cast<float>(std::log(double(all.kinds) / (all.seen + all.kinds)));
    std::vector<float> p[kOrder + 1];
    for (int order = 0; order <= kOrder; ++order) {
      p[order].resize(cells(order));
      for (const Fresh& f : fresh[order]) {
        const Count& before = order == 0 ? all : count[order - 1][f.context];
        const double shorter = order == 0 ? 1 / kAlphabet : p[order - 1][f.shorter];
        const double with = count[order][f.cell].seen, kinds = std::max(before.kinds, 1u);
        const double value = std::min(1., (with + kinds * shorter) / (before.seen + kinds));
        p[order][f.cell] = static_cast<float>(value);
        cell_[order][f.cell].log_p = std::min(static_cast<float>(std::log(value)), -1e-6f);
        if (order == 0) continue;
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

}  // namespace

std::vector<double> character_nll(const TextArena& texts) {
  const std::int64_t n = texts.size();
  std::array<CharacterModel, 2> models;
  parallel_chunks(2, [&](std::int64_t half) {
    std::size_t total = 0, passed = 0, taken = 0;
    for (std::int64_t i = 0; i < n; ++i) total += half_of(i) == half ? texts[i].size() : 0;
    const double share = std::min(1., double(kCounted) / double(std::max<std::size_t>(total, 1)));
    models[half].learn([&](auto&& add) {
      for (std::int64_t i = 0; i < n; ++i) {
        if (half_of(i) != half || texts[i].empty()) continue;
        if (double(taken) <= share * double(passed)) {
          add(texts[i]);
          taken += texts[i].size();
        }
        passed += texts[i].size();
      }
    });
  });
  std::vector<double> nll(static_cast<std::size_t>(n), kNotApplicable);
  parallel_for(n, 1024, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      if (texts[i].empty()) continue;
      const CharacterModel& model = models[1 - half_of(i)];
      double sum = 0;
      std::int64_t characters = 0;
      along(texts[i], [&](History h, std::uint32_t c) {
        sum -= model.log_probability(h, c);
        ++characters;
      });
      nll[i] = sum / static_cast<double>(characters);
    }
  });
  return nll;
}

}  // namespace athanor::distill
