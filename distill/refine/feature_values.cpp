#include "distill/refine/feature_values.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "nn/metrics.h"
#include "tensor/base/error.h"

namespace athanor::distill {

double applicable_mean(std::span<const double> values) {
  double sum = 0;
  std::int64_t count = 0;
  for (double value : values) {
    if (!is_applicable(value)) continue;
    sum += value;
    ++count;
  }
  return count > 0 ? sum / static_cast<double>(count) : kNotApplicable;
}

double weighted_mean(std::initializer_list<double> values, std::initializer_list<double> weights) {
  double sum = 0, total = 0;
  auto w = weights.begin();
  for (const double value : values) {
    if (is_applicable(value)) {
      sum += value * *w;
      total += *w;
    }
    ++w;
  }
  return total > 0 ? sum / total : kNotApplicable;
}

double applicable_quantile(std::span<const double> values, double q) {
  std::vector<double> known;
  for (double value : values) {
    if (is_applicable(value)) known.push_back(value);
  }
  if (known.empty()) return kNotApplicable;
  const double place = q * static_cast<double>(known.size() - 1);
  const auto at = known.begin() + static_cast<std::ptrdiff_t>(place);
  std::nth_element(known.begin(), at, known.end());
  const double below = *at;
  const double above = at + 1 < known.end() ? *std::min_element(at + 1, known.end()) : below;
  return below + (place - std::floor(place)) * (above - below);
}

double auroc(std::span<const double> score, std::span<const char> positive) {
  std::vector<std::int64_t> actual;
  for (const char p : positive) actual.push_back(p != 0);
  const std::int64_t count = std::accumulate(actual.begin(), actual.end(), std::int64_t{0});
  if (count == 0 || count == std::ssize(actual)) return kNotApplicable;
  const Shape shape{std::ssize(actual)};
  return nn::auroc(from_values(score, shape), from_values(actual, shape));
}

Freshness freshness_of(std::span<const double> times, double reference) {
  Freshness result;
  result.value.assign(times.size(), 0);
  result.exact.assign(times.size(), 0);
  std::vector<double> ages(times.size(), kNotApplicable);
  for (std::size_t i = 0; i < times.size(); ++i) {
    if (times[i] <= reference) ages[i] = reference - times[i];
  }
  result.half_life = applicable_quantile(ages, .5);
  std::int64_t valid = 0, underflows = 0;
  for (std::size_t i = 0; i < times.size(); ++i) {
    if (!is_applicable(ages[i])) {
      ++result.invalid;
      continue;
    }
    ++valid;
    // All ages 0: nothing is older than anything else.
    result.value[i] =
        result.half_life > 0 ? std::exp2(-ages[i] / result.half_life) : (ages[i] > 0 ? 0.0 : 1.0);
    result.exact[i] = std::exp(-ages[i] / 3600);
    underflows += result.exact[i] == 0;
  }
  if (valid > 0) result.underflow = static_cast<double>(underflows) / static_cast<double>(valid);
  return result;
}

std::vector<double> likelihood_of(std::span<const double> nll) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < nll.size(); ++i) {
    if (is_applicable(nll[i])) order.push_back(i);
  }
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return nll[a] < nll[b]; });
  std::vector<double> result(nll.size(), kNotApplicable);
  const double n = static_cast<double>(order.size());
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin + 1;
    while (end < order.size() && nll[order[end]] == nll[order[begin]]) ++end;
    // Ranks begin + 1 .. end are shared by equal values.
    const double rank = (static_cast<double>(begin + 1 + end) / 2 - .5) / n;
    for (; begin < end; ++begin) result[order[begin]] = 1 - 2 * std::abs(rank - .5);
  }
  return result;
}

std::vector<double> learnability_of(std::span<const double> el2n) {
  const double low = applicable_quantile(el2n, .1), high = applicable_quantile(el2n, .9);
  const double least = applicable_quantile(el2n, 0), most = applicable_quantile(el2n, 1);
  std::vector<double> result(el2n.begin(), el2n.end());
  for (double& value : result) {
    if (!is_applicable(value)) continue;
    if (value < low) {
      value = (value - least) / (low - least);
    } else if (value > high) {
      value = (most - value) / (most - high);
    } else {
      value = 1;
    }
  }
  return result;
}

std::vector<double> stability_of(std::span<const std::int64_t> forgetting_events,
                                 std::int64_t presentations) {
  if (presentations < 2) {
    fail("stability_of", "expected at least 2 presentations, got ", presentations);
  }
  std::vector<double> result;
  for (std::int64_t events : forgetting_events) {
    if (events < 0 || events >= presentations) {
      fail("stability_of", "expected events in [0, ", presentations, "), got ", events);
    }
    result.push_back(1 - static_cast<double>(events) / static_cast<double>(presentations - 1));
  }
  return result;
}

namespace {

std::vector<std::int64_t> count_cells(std::span<const std::int64_t> cell, std::int64_t cells) {
  std::vector<std::int64_t> count(cells);
  for (std::int64_t c : cell) {
    if (c < 0 || c >= cells) fail("diversity", "expected cells in [0, ", cells, "), got ", c);
    ++count[c];
  }
  return count;
}

double x_log_x(std::int64_t x) {
  return x > 0 ? static_cast<double>(x) * std::log(static_cast<double>(x)) : 0.0;
}

// Entropy of n records whose cells' counts c give sum c log c = `sum`, over log(cells).
double entropy_from(double sum, std::int64_t n, std::int64_t cells) {
  if (n < 1 || cells < 2) return 0;
  const double records = static_cast<double>(n);
  return std::max(0.0, (std::log(records) - sum / records) / std::log(double(cells)));
}

}  // namespace

double normalised_entropy(std::span<const std::int64_t> cell, std::int64_t cells) {
  double sum = 0;
  for (std::int64_t count : count_cells(cell, cells)) sum += x_log_x(count);
  return entropy_from(sum, std::ssize(cell), cells);
}

std::vector<double> leave_one_out_diversity(std::span<const std::int64_t> cell,
                                            std::int64_t cells) {
  const std::vector<std::int64_t> count = count_cells(cell, cells);
  double sum = 0;
  for (std::int64_t c : count) sum += x_log_x(c);
  const std::int64_t n = std::ssize(cell);
  const double whole = entropy_from(sum, n, cells);
  std::vector<double> drop;
  for (std::int64_t c : cell) {
    const double without = sum - x_log_x(count[c]) + x_log_x(count[c] - 1);
    drop.push_back(whole - entropy_from(without, n - 1, cells));
  }
  if (drop.empty()) return drop;
  const auto [least, most] = std::minmax_element(drop.begin(), drop.end());
  const double low = *least, range = *most - *least;
  for (double& value : drop) value = range > 0 ? (value - low) / range : .5;
  return drop;
}

}  // namespace athanor::distill
