#include "distill/refine/table_labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "distill/refine/feature_values.h"

namespace athanor::distill {
namespace {

constexpr std::int64_t kMostClasses = 256;
constexpr int kTrustRounds = 3;
constexpr double kViewWeight = .5;
constexpr double kExponents[] = {.7, 1, 1.4, 2, 2.8, 4};
constexpr std::int64_t kSpans = 4;
constexpr std::int64_t kLeastOfSpan = 100;  // records

std::vector<std::int64_t> rows_of(const std::vector<char>& flags) {
  std::vector<std::int64_t> rows;
  for (std::size_t i = 0; i < flags.size(); ++i) {
    if (flags[i]) rows.push_back(static_cast<std::int64_t>(i));
  }
  return rows;
}

// Two models that are not independent: their log probabilities count for kViewWeight each.
ProbabilityTable product_of_views(const ProbabilityTable& a, const ProbabilityTable& b) {
  ProbabilityTable out{a.rows, a.classes, std::vector<double>(a.values.size())};
  for (std::int64_t i = 0; i < a.rows; ++i) {
    double* row = out.values.data() + i * a.classes;
    double sum = 0;
    for (std::int64_t k = 0; k < a.classes; ++k) {
      sum += row[k] = std::pow(std::max(a.row(i)[k] * b.row(i)[k], 1e-12), kViewWeight);
    }
    for (std::int64_t k = 0; k < a.classes; ++k) row[k] /= sum;
  }
  return out;
}

}  // namespace

std::string label_obstacle(const TableRecords& r) {
  if (!r.has_label) return "no label column";
  const std::int64_t classes = r.label_names.size();
  if (classes < 2) return fmt::format("expected at least 2 classes, found {}", classes);
  if (classes > kMostClasses) {
    return fmt::format("expected at most {} classes, found {}", kMostClasses, classes);
  }
  std::vector<std::int64_t> count(static_cast<std::size_t>(classes));
  for (const std::int64_t y : r.label) {
    if (y >= 0) ++count[y];
  }
  for (std::int64_t c = 0; c < classes; ++c) {
    const std::string& name = r.label_names.text(c);
    if (name.size() > 1 && name.front() == '[' && name.back() == ']') {
      return "labels are lists; several labels a record are not supported";
    }
    if (count[c] < kLeastOfClass) {
      return fmt::format("expected at least {} records of each class, found {} of '{}'",
                         kLeastOfClass, count[c], name);
    }
  }
  return "";
}

TimeSlices time_slices(const std::vector<double>& times) {
  TimeSlices slices;
  slices.of.assign(times.size(), 0);
  std::vector<double> stamps;
  for (const double t : times) {
    if (is_applicable(t)) stamps.push_back(t);
  }
  const std::int64_t spans = std::min(kSpans, std::ssize(stamps) / kLeastOfSpan);
  if (spans < 2) return slices;
  std::sort(stamps.begin(), stamps.end());
  std::vector<double> begin;  // of each span but the first
  for (std::int64_t s = 1; s < spans; ++s) begin.push_back(stamps[s * std::ssize(stamps) / spans]);
  for (std::size_t i = 0; i < times.size(); ++i) {
    slices.of[i] = is_applicable(times[i])
                       ? std::upper_bound(begin.begin(), begin.end(), times[i]) - begin.begin()
                       : spans;
  }
  slices.count = spans + 1;
  return slices;
}

namespace {

// P(class) of p sharpened to the power under which the labels are likeliest, and of p and labels.
LabelEvidence weigh_labels(const TableRecords& r, ProbabilityTable p,
                           const std::vector<char>& sound) {
  const TimeSlices slices = time_slices(r.time);
  const std::vector<std::int64_t> rows = rows_of(sound);
  // How sure the model should be is told by the labels, of which it has not seen these.
  double best = -std::numeric_limits<double>::infinity();
  LabelEvidence evidence;
  for (const double exponent : kExponents) {
    ProbabilityTable q = sharpened(p, exponent);
    const SlicedNoise noise = estimate_sliced_noise(q, r.label, rows, slices.of, slices.count);
    const double likelihood = mean_log_likelihood(q, r.label, rows, slices.of, noise);
    if (!(likelihood > best)) continue;
    best = likelihood;
    evidence.posterior = sliced_class_posteriors(q, r.label, slices.of, noise);
    evidence.p = std::move(q);
  }
  if (evidence.p.rows == 0) evidence.p = evidence.posterior = std::move(p);  // no row is known
  return evidence;
}

// Words alone tell classes apart too badly for a noise matrix to be estimated: with posteriors they
// confirm each other's mistakes (TREC, standard mixture: AUROC of the score 0.82 against 0.90).
// Two rounds; the second learns from each record by how probable the first found its label.
LabelEvidence judge_by_tokens(const TableRecords& r, const ClassifierInputs& inputs,
                              const std::vector<std::int64_t>& group, std::vector<float> weight,
                              const std::vector<char>& sound, std::uint64_t seed) {
  ClassifierOptions options;
  options.seed = seed;
  const std::int64_t classes = r.label_names.size();
  const OutOfFold first = out_of_fold(inputs, r.label, classes, group, weight, nullptr, options);
  const auto noise = estimate_noise_matrix(first.p, r.label, rows_of(sound));
  const auto posterior = label_posteriors(first.p, r.label, noise);
  for (std::size_t i = 0; i < weight.size(); ++i) {
    if (is_applicable(posterior[i])) weight[i] *= static_cast<float>(posterior[i]);
  }
  LabelEvidence evidence;
  evidence.training = out_of_fold(inputs, r.label, classes, group, weight, nullptr, options);
  evidence.p = evidence.training.p;
  evidence.posterior = evidence.p;
  return evidence;
}

}  // namespace

LabelEvidence judge_labels(const TableRecords& r, const ClassifierInputs& inputs,
                           const std::vector<std::int64_t>& group, const std::vector<char>& sound,
                           std::uint64_t seed) {
  const std::int64_t n = r.size(), classes = r.label_names.size();
  std::vector<float> weight(static_cast<std::size_t>(n)), size(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) size[group[i]] += sound[i];
  for (std::int64_t i = 0; i < n; ++i) {
    if (sound[i]) weight[i] = 1 / size[group[i]];
  }
  if (!inputs.embeddings.defined()) return judge_by_tokens(r, inputs, group, weight, sound, seed);
  TokenRows none;
  none.begin.assign(static_cast<std::size_t>(n) + 1, 0);
  LabelEvidence evidence;
  for (int round = 0; round < kTrustRounds; ++round) {
    ClassifierOptions options;
    options.seed = seed + static_cast<std::uint64_t>(round);  // other folds than before
    const ProbabilityTable* targets = round > 0 ? &evidence.posterior : nullptr;
    const OutOfFold words =
        out_of_fold({inputs.tokens, {}}, r.label, classes, group, weight, targets, options);
    OutOfFold training =
        out_of_fold({none, inputs.embeddings}, r.label, classes, group, weight, targets, options);
    ProbabilityTable p = product_of_views(words.p, training.p);
    evidence = weigh_labels(r, std::move(p), sound);
    evidence.training = std::move(training);
  }
  return evidence;
}

}  // namespace athanor::distill
