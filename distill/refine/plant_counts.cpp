#include "distill/refine/plant_counts.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <numeric>
#include <vector>

#include "tensor/base/error.h"

namespace athanor::distill {
namespace {

// `total` divided in proportion to `weights`, by largest remainder.
template <std::size_t N>
std::array<std::int64_t, N> divide(std::int64_t total, const std::array<double, N>& weights) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::array<std::int64_t, N> parts{};
  std::array<double, N> remainder{};
  std::int64_t left = total;
  for (std::size_t i = 0; i < N; ++i) {
    const double exact = static_cast<double>(total) * weights[i] / sum;
    parts[i] = static_cast<std::int64_t>(exact + 1e-9);
    remainder[i] = exact - static_cast<double>(parts[i]);
    left -= parts[i];
  }
  for (; left > 0; --left) {
    const auto most = std::max_element(remainder.begin(), remainder.end());
    ++parts[most - remainder.begin()];
    *most = -1;
  }
  return parts;
}

// Adds `count` to `kinds`, alike; what does not divide goes to the last ones.
void spread(DefectCounts& counts, std::int64_t count, const std::vector<Defect>& kinds) {
  const std::int64_t n = static_cast<std::int64_t>(kinds.size());
  for (std::int64_t i = 0; i < n; ++i) {
    counts[kinds[i]] += count / n + (i >= n - count % n);
  }
}

}  // namespace

DefectCounts count_defects(const PlantOptions& options, const DefectSet& wanted) {
  auto present = [&](std::initializer_list<Defect> kinds) {
    std::vector<Defect> found;
    for (Defect kind : kinds) {
      if (wanted.has(kind)) found.push_back(kind);
    }
    return found;
  };
  const auto labels = present({Defect::flip, Defect::confuse});
  const auto copies = present({Defect::duplicate, Defect::near_duplicate, Defect::contradiction});
  auto rest = present({Defect::missing, Defect::noise, Defect::out_of_domain, Defect::truncation,
                       Defect::rule_conflict});
  const bool stale = wanted.has(Defect::stale);
  DefectCounts counts;
  counts.effective = std::llround(options.effective * static_cast<double>(options.size));
  const Mixture& mixture = options.mixture;
  const auto parts =
      divide<3>(options.size - counts.effective,
                {labels.empty() ? 0 : mixture.labels, copies.empty() ? 0 : mixture.duplicates,
                 rest.empty() && !stale ? 0 : mixture.rest});
  if (!labels.empty()) spread(counts, parts[0], labels);
  if (!copies.empty()) spread(counts, parts[1], copies);
  if (stale && rest.empty()) {
    spread(counts, parts[2], {Defect::stale});
  } else if (!rest.empty()) {
    const std::int64_t stale_count = stale ? parts[2] / 4 : 0;
    counts[Defect::stale] = stale_count;
    spread(counts, parts[2] - stale_count, rest);
  }
  return counts;
}

Mixture mixture_from_name(std::string_view name) {
  if (name == "easy") return {.15, .25, .22};
  if (name == "standard") return {.25, .22, .15};
  if (name == "hard") return {.36, .14, .12};
  raise(ErrorKind::usage, "unknown mixture '", name, "', expected easy, standard or hard");
}

std::vector<std::int64_t> fashion_mnist_confusable() { return {6, 3, 4, 4, 2, 7, 0, 9, 5, 7}; }

void shuffle(std::vector<std::int64_t>& rows, Generator& random) {
  for (std::int64_t i = std::ssize(rows) - 1; i > 0; --i) {
    std::swap(rows[i], rows[random.next_below(i + 1)]);
  }
}

}  // namespace athanor::distill
