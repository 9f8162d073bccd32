// Features of one value a record, in [0, 1], higher is better; NaN = not applicable, which is left
// out of every average.
#pragma once

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <span>
#include <vector>

namespace athanor::distill {

inline constexpr double kNotApplicable = std::numeric_limits<double>::quiet_NaN();
inline bool is_applicable(double value) { return !std::isnan(value); }

// Mean of the applicable values; kNotApplicable when there are none.
double applicable_mean(std::span<const double> values);
// The same by weight.
double weighted_mean(std::initializer_list<double> values, std::initializer_list<double> weights);
// q-quantile (linear between order statistics) of the applicable values.
double applicable_quantile(std::span<const double> values, double q);

// Area under the ROC curve of `score` for `positive`, ties count one half; kNotApplicable when all
// or none are positive.
double auroc(std::span<const double> score, std::span<const char> positive);

// Feature 1. Times and `reference` in seconds; NaN (unparseable) and times after the reference are
// invalid and score 0.
struct Freshness {
  std::vector<double> value;  // 2^(-age / half_life)
  std::vector<double> exact;  // exp(-age / 3600), the article's form
  double half_life = 0;       // seconds: the median age of the valid records
  double underflow = 0;       // share of valid records whose exact form is 0 in double
  std::int64_t invalid = 0;
};
Freshness freshness_of(std::span<const double> times, double reference);

// Feature 9: 1 - 2 |rank(nll) - 0.5|, rank = (mid-rank - 0.5) / n: both tails are penalised.
std::vector<double> likelihood_of(std::span<const double> nll);

// Feature 10: 1 inside [q10, q90] of the EL2N scores, falling linearly to 0 at the extremes.
std::vector<double> learnability_of(std::span<const double> el2n);

// Feature 11: 1 - forgetting events / (presentations - 1), presentations >= 2.
std::vector<double> stability_of(std::span<const std::int64_t> forgetting_events,
                                 std::int64_t presentations);

// Set diversity: -sum p log p / log(cells) over the shares of `cells` cells; 1 = even. 0 when there
// is one cell or no record.
double normalised_entropy(std::span<const std::int64_t> cell, std::int64_t cells);
// Per record the drop of that entropy when the record leaves, scaled over the records to [0, 1]
// (0.5 when all are alike). It mostly measures how rare the record's cell is.
std::vector<double> leave_one_out_diversity(std::span<const std::int64_t> cell, std::int64_t cells);

}  // namespace athanor::distill
