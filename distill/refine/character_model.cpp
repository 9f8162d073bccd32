#include "distill/refine/character_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "distill/refine/character_grams.h"
#include "distill/refine/feature_values.h"
#include "tensor/base/avx2_clones.h"
#include "tensor/base/parallel.h"

namespace athanor::distill {
namespace {

constexpr double kAlphabet = 4096;
// Bytes of text that a model is estimated from: what it takes to learn them is the same for any
// table, and an eighth of a million characters tell usual runs of 4 from unusual ones as well as
// half a million do (docs/refine.md).
constexpr std::size_t kCounted = std::size_t{1} << 17;
const auto kAny = static_cast<float>(-std::log(kAlphabet));

// A backing-off form of the interpolated model: an n-gram that was seen has its whole probability
// stored, one that was not has its shorter form's times what its context leaves to new characters.
// n-grams of one hash share a cell.
class CharacterModel {
 public:
  // Learns from `texts` texts whose longest n-grams are these; each holds its shorter ones.
  void learn(const GramCounts& grams, std::uint32_t texts) {
    number_[kOrder] = grams.places();
    Counts counts;
    make_cells(kOrder, counts);
    add_up(*this, grams, texts, counts);
    probabilities(counts);
  }

  // Log-probabilities of n-grams by their numbers, after learn().
  ATHANOR_AVX2_CLONES
  static void judge(const CharacterModel& model, const GramCounts& grams, float* log_p) {
    for (std::size_t k = 0; k < grams.numbers(); ++k) {
      if (!grams.is_used(k)) continue;
      const auto [h, c] = grams[k];
      log_p[k] = model.log_probability(h, c);
    }
  }

  struct Likelihood {
    double log_p = 0;
    std::int64_t characters = 0;
  };
  // Of the characters of a text, after learn().
  ATHANOR_AVX2_CLONES
  static Likelihood judge(const CharacterModel& model, std::string_view text) {
    Likelihood result;
    along(
        text, [&](History h, std::uint32_t c) __attribute__((always_inline)) {
          result.log_p += model.log_probability(h, c);
          ++result.characters;
        });
    return result;
  }

 private:
  // Of the cells of each order while the model learns.
  struct Counts {
    // A cell, and the n-gram that brought it about by the numbers of its context and shorter form.
    struct Made {
      std::uint32_t cell = 0, context = 0, shorter = 0;
    };
    std::array<std::vector<Made>, kOrder + 1> made;
    std::array<std::vector<std::uint32_t>, kOrder + 1> seen;  // occurrences
    std::array<std::vector<std::uint32_t>, kOrder> kinds;     // different characters that followed
    std::uint32_t all_seen = 0, all_kinds = 0;                // of single characters
  };
  // An n-gram of one order, its cell, and how often it occurs.
  struct Seen {
    History history = 0;
    std::uint32_t character = 0, cell = 0, times = 0;
  };
  static std::uint32_t last(History h) {
    return static_cast<std::uint32_t>(h & ((History{1} << kCharBits) - 1));
  }
  // Of its cell; 0 where it was not seen.
  [[gnu::always_inline]] std::uint32_t number(int order, History h, std::uint32_t c) const {
    return number_[order][gram_place(order, h, c)];
  }

  // In a function with clones, which count bits by an instruction.
  [[gnu::always_inline]] float log_probability(History h, std::uint32_t c) const {
    if (const std::uint32_t longest = number(kOrder, h, c)) return log_p_[kOrder][longest];
    float sum = 0;
    for (int order = kOrder - 1; order >= 0; --order) {
      sum += log_new_[order][number(order, h >> kCharBits, last(h))];
      const float log_p = log_p_[order][number(order, h, c)];
      if (log_p < 0) return sum + log_p;
    }
    return sum + new_ + kAny;
  }

  // Of the places that are taken.
  void make_cells(int order, Counts& counts) {
    const std::uint32_t cells = number_[order].count();
    counts.seen[order].resize(cells);
    log_p_[order].resize(cells);
    if (order == kOrder) return;  // no context
    counts.kinds[order].resize(cells);
    log_new_[order].resize(cells);
  }

  // Counts the n-grams from the longest on; those of an order are the shorter forms of those
  // before, so that they are few.
  ATHANOR_AVX2_CLONES
  static void add_up(CharacterModel& model, const GramCounts& grams, std::uint32_t texts,
                     Counts& counts) {
    std::vector<Seen> longest(grams.in_order().size()), shorter;
    for (std::size_t k = 0; k < longest.size(); ++k) {
      const std::uint32_t number = grams.in_order()[k];
      const auto [h, c] = grams[number];
      const bool has_cell = number < counts.seen[kOrder].size();  // the n-gram is the first in it
      longest[k] = {h, c, has_cell ? number : model.number(kOrder, h, c), grams.count(number)};
    }
    for (int order = kOrder; order > 0; --order) {
      model.take_shorter(order, longest, texts, counts);
      shorten(model, order, longest, counts, shorter);
      longest.swap(shorter);
    }
    for (const Seen& gram : longest) {
      if (counts.seen[0][gram.cell] == 0) {
        counts.made[0].push_back({gram.cell, 0, 0});
        ++counts.all_kinds;
      }
      counts.seen[0][gram.cell] += gram.times;
      counts.all_seen += gram.times;
    }
  }

  // Cells for the shorter forms of n-grams of one order.
  void take_shorter(int order, const std::vector<Seen>& grams, std::uint32_t texts,
                    Counts& counts) {
    PlaceNumbers& number = number_[order - 1];
    const std::uint32_t beginning = gram_place(order - 1, 0, 0);  // stands before a text
    number.take(beginning);
    for (const Seen& gram : grams) number.take(gram_place(order - 1, gram.history, gram.character));
    make_cells(order - 1, counts);
    counts.seen[order - 1][number[beginning]] = texts;
  }

  // Counts n-grams of one order; their shorter forms follow in `shorter`.
  [[gnu::always_inline]] static void shorten(const CharacterModel& model, int order,
                                             const std::vector<Seen>& grams, Counts& counts,
                                             std::vector<Seen>& shorter) {
    constexpr std::uint32_t kNone = ~0u;
    const History kept = (History{1} << ((order - 1) * kCharBits)) - 1;
    std::vector<std::uint32_t> found(counts.seen[order - 1].size(), kNone);  // in `shorter`
    shorter.resize(grams.size() + 1);
    counts.made[order].resize(grams.size());
    std::size_t size = 0;
    auto made = counts.made[order].begin();
    for (const auto& [h, c, cell, times] : grams) {
      const std::uint32_t short_cell = model.number(order - 1, h, c);
      if (counts.seen[order][cell] == 0) {
        // The context: the last `order` characters, an n-gram of the table below.
        const std::uint32_t context = model.number(order - 1, h >> kCharBits, last(h));
        *made++ = {cell, context, short_cell};
        ++counts.kinds[order - 1][context];
      }
      counts.seen[order][cell] += times;
      // Without a branch for what is new, a third of them in no order.
      const bool is_new = found[short_cell] == kNone;
      std::size_t at = is_new ? size : found[short_cell];
      found[short_cell] = static_cast<std::uint32_t>(at);
      shorter[size] = {h & kept, c, short_cell, 0};
      size += is_new;
      if (shorter[at].history != (h & kept) || shorter[at].character != c) {
        at = size++;  // of those in one cell, the first is found again
      }
      shorter[at].times += times;
    }
    shorter.resize(size);
    counts.made[order].erase(made, counts.made[order].end());
  }

  // From the counts.
  void probabilities(const Counts& counts) {
    if (counts.all_seen == 0) return;
    new_ = static_cast<float>(
        std::log(double(counts.all_kinds) / (counts.all_seen + counts.all_kinds)));
    std::vector<float> p, shorter_p;  // by cell
    for (int order = 0; order <= kOrder; ++order) {
      p.assign(counts.seen[order].size(), 0);
      for (const auto& [cell, context, short_cell] : counts.made[order]) {
        const double kinds =
            std::max(order == 0 ? counts.all_kinds : counts.kinds[order - 1][context], 1u);
        const double all = (order == 0 ? counts.all_seen : counts.seen[order - 1][context]) + kinds;
        const double shorter = order == 0 ? 1 / kAlphabet : shorter_p[short_cell];
        const double value = std::min(1., (counts.seen[order][cell] + kinds * shorter) / all);
        p[cell] = static_cast<float>(value);
        log_p_[order][cell] = std::min(static_cast<float>(std::log(value)), -1e-6f);
        if (order == 0 || log_new_[order - 1][context] < 0) continue;
        log_new_[order - 1][context] = static_cast<float>(std::log(kinds / all));
      }
      p.swap(shorter_p);
    }
  }

  PlaceNumbers number_[kOrder + 1] = {PlaceNumbers(kPlaceBits[0]), PlaceNumbers(kPlaceBits[1]),
                                      PlaceNumbers(kPlaceBits[2]), PlaceNumbers(kPlaceBits[3])};
  // By number; 0 = not seen, or never a context, as number 0.
  std::vector<float> log_p_[kOrder + 1], log_new_[kOrder];
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
  CharacterModel model;
};

// Where a text stands in the run of its half; nowhere where it is not learned from.
struct Part {
  std::uint32_t begin = 0, size = 0;
};

// Reads one half.
void read_half(const TextArena& texts, int which, Half& half, std::vector<Part>& parts) {
  const std::int64_t n = texts.size();
  std::size_t total = 0, passed = 0, taken = 0;
  for (std::int64_t i = 0; i < n; ++i) total += half_of(i) == which ? texts[i].size() : 0;
  const double share = std::min(1., double(kCounted) / double(std::max<std::size_t>(total, 1)));
  half.run.reserve(std::min(total, kCounted) + static_cast<std::size_t>(n));  // about
  std::vector<std::int64_t> learned;
  for (std::int64_t i = 0; i < n; ++i) {
    if (half_of(i) != which || texts[i].empty()) continue;
    if (double(taken) <= share * double(passed)) {
      const std::size_t begin = half.run.size();
      half.grams.read(texts[i], half.run);
      learned.push_back(i);
      parts[i] = {static_cast<std::uint32_t>(begin),
                  static_cast<std::uint32_t>(half.run.size() - begin)};
      taken += texts[i].size();
    }
    passed += texts[i].size();
  }
  half.grams.read_all();
  for (const std::int64_t i : learned) {
    half.grams.add(texts[i], half.run.data() + parts[i].begin);
  }
  half.grams.finish();
  half.model.learn(half.grams, static_cast<std::uint32_t>(learned.size()));
}

}  // namespace

std::vector<double> character_nll(const TextArena& texts) {
  const std::int64_t n = texts.size();
  std::array<Half, 2> halves;
  std::vector<Part> parts(static_cast<std::size_t>(n));
  parallel_chunks(
      2, [&](std::int64_t half) { read_half(texts, static_cast<int>(half), halves[half], parts); });
  std::array<std::vector<float>, 2> log_p;  // of each half's n-grams, by the other half's model
  parallel_chunks(2, [&](std::int64_t half) {
    const GramCounts& grams = halves[half].grams;
    log_p[half].resize(grams.numbers());
    CharacterModel::judge(halves[1 - half].model, grams, log_p[half].data());
  });
  std::vector<double> nll(static_cast<std::size_t>(n), kNotApplicable);
  parallel_for(n, 1024, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      if (texts[i].empty()) continue;
      const int half = half_of(i);
      const Part part = parts[i];
      CharacterModel::Likelihood likelihood;
      if (part.size == 0) {
        likelihood = CharacterModel::judge(halves[1 - half].model, texts[i]);
      } else {
        // The text's own characters are not needed.
        for (const std::uint32_t number :
             std::span(halves[half].run).subspan(part.begin, part.size)) {
          likelihood.log_p += log_p[half][number];
        }
        likelihood.characters = part.size;
      }
      nll[i] = -likelihood.log_p / static_cast<double>(likelihood.characters);
    }
  });
  return nll;
}

}  // namespace athanor::distill
