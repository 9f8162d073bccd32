#include "distill/refine/character_model.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "distill/refine/feature_values.h"
#include "distill/refine/text_units.h"
#include "tensor/base/parallel.h"

namespace athanor::distill {
namespace {

constexpr int kOrder = 3;  // characters of context
constexpr std::uint32_t kEnd = 0x110000;
constexpr double kAlphabet = 4096;
// So many factors, each above 1e-17, are multiplied before a logarithm is taken.
constexpr int kFactors = 8;

// An n-gram: how often it occurred, and how many different characters followed it.
struct Gram {
  std::uint32_t seen = 0, kinds = 0;
};
using GramPath = std::array<Gram*, kOrder + 1>;

// Grams of 1 to kOrder + 1 characters, by hash. The context of a character is the gram that ends
// before it and was looked up for the character before: one look-up an order and character.
class GramCounts {
 public:
  GramCounts() {
    for (int order = 0; order <= kOrder; ++order) {
      gram_[order].resize(std::size_t{1} << kBits[order]);
    }
  }

  // Calls fn(context, gram, orders) for the characters of a text and for its end: gram[o] has
  // o + 1 characters, context[o] is the same without its last; entries below `orders` are set.
  template <class Fn>
  void along(std::string_view text, Fn&& fn) {
    GramPath context{&all_}, gram{};
    std::array<std::uint32_t, kOrder + 1> history{}, hash{};
    int orders = 1;
    for (std::size_t at = 0;;) {
      const bool end = at >= text.size();
      const std::uint32_t c = end ? kEnd : static_cast<std::uint32_t>(next_character(text, at));
      for (int o = 0; o < orders; ++o) {
        hash[o] = mixed(history[o] + c + 1);
        gram[o] = &gram_[o][hash[o] >> (32 - kBits[o])];
      }
      fn(context, gram, orders);
      if (end) return;
      orders = std::min(orders + 1, kOrder + 1);
      for (int o = 1; o < orders; ++o) {
        context[o] = gram[o - 1];
        history[o] = hash[o - 1] * 0x85ebca6bu;
      }
    }
  }

 private:
  static constexpr int kBits[kOrder + 1] = {12, 16, 18, 20};
  static std::uint32_t mixed(std::uint32_t h) {
    h *= 0x9e3779b1u;
    h ^= h >> 15;
    return h * 0xd35a2d97u;
  }

  Gram all_;  // the gram of no character
  std::vector<Gram> gram_[kOrder + 1];
};

// P(character | contexts), its own occurrence left out.
double probability(const GramPath& context, const GramPath& gram, int orders) {
  double p = 1 / kAlphabet;
  for (int o = 0; o < orders; ++o) {
    const double seen = context[o]->seen - 1., with = gram[o]->seen - 1.;
    if (!(seen > 0)) break;  // longer contexts are as new
    const double kinds = std::max(1., double(context[o]->kinds) - (with == 0));
    p = (with + kinds * p) / (seen + kinds);
  }
  return p;
}

}  // namespace

std::vector<double> character_nll(const TextArena& texts) {
  GramCounts counts;
  const std::int64_t n = texts.size();
  for (std::int64_t i = 0; i < n; ++i) {
    if (texts[i].empty()) continue;
    counts.along(texts[i], [](const GramPath& context, const GramPath& gram, int orders) {
      ++context[0]->seen;
      for (int o = 0; o < orders; ++o) context[o]->kinds += gram[o]->seen++ == 0;
    });
  }
  std::vector<double> nll(static_cast<std::size_t>(n), kNotApplicable);
  parallel_for(n, 1024, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      if (texts[i].empty()) continue;
      double sum = 0, product = 1;
      std::int64_t characters = 0;
      counts.along(texts[i], [&](const GramPath& context, const GramPath& gram, int orders) {
        product *= probability(context, gram, orders);
        if (++characters % kFactors != 0) return;
        sum -= std::log(product);
        product = 1;
      });
      nll[i] = (sum - std::log(product)) / static_cast<double>(characters);
    }
  });
  return nll;
}

}  // namespace athanor::distill
