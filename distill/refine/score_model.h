// The calibrated score: a logistic model on the twelve features, fitted to records of which it is
// known whether they are good.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace athanor::distill {

inline constexpr std::size_t kFeatures = 12;
// In the order of their numbers: freshness, completeness, rule_consistency, label_trust, novelty,
// uniqueness, typicality, surface_validity, likelihood, learnability, stability, teacher_agreement.
extern const std::array<std::string_view, kFeatures> kFeatureNames;

// One record's features; NaN = not applicable.
using FeatureRow = std::array<double, kFeatures>;

// P(good) = 1 / (1 + exp(-(bias + sum_k weight_k (x_k - centre_k)))); a feature that does not apply
// is left out of the sum.
struct ScoreModel {
  double bias = 0;
  std::array<double, kFeatures> centre{}, weight{};

  double score(const FeatureRow& row) const;
  // The feature that lowers the score most, -1 when none does.
  int worst(const FeatureRow& row) const;
};

// The model that refine uses when it is given none; docs/refine.md says how it was fitted.
ScoreModel default_score_model();

// Ridge logistic regression by Newton's method; `good` is 0 or 1. Weights are not negative, since
// in every feature higher is better: those that would be are 0 and the others fitted again.
// Features that never apply, or that never vary, get weight 0. Throws usage unless both good and
// bad records are there.
ScoreModel fit_score_model(std::span<const FeatureRow> rows, std::span<const char> good,
                           double ridge = 1);

// TOML: bias, and [centre] and [weight] with a number for each feature. Errors are usage, naming
// the file.
ScoreModel load_score_model(const std::filesystem::path& path);
void save_score_model(const std::filesystem::path& path, const ScoreModel& model);

}  // namespace athanor::distill
