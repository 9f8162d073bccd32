#include "distill/refine/table_labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "distill/refine/discriminant.h"
#include "distill/refine/feature_values.h"
#include "distill/refine/latent_words.h"
#include "distill/refine/leading_directions.h"
#include "distill/restructure/knn_graph.h"
#include "tensor/ops.h"
#include "tensor/ops/cat.h"

namespace athanor::distill {
namespace {

constexpr std::int64_t kMostClasses = 256;
constexpr int kFolds = 5;
constexpr std::uint64_t kPartitions = 3;      // into folds, whose answers are averaged
constexpr std::int64_t kLatent = 256;         // dimensions of the words
constexpr double kWordsBesideVectors = .7;    // length of a record's words, its vector's being 1
constexpr std::int64_t kDirections = 192;     // of vectors and words together
constexpr std::int64_t kMostLatent = 50'000;  // records whose words are kept so
constexpr std::int64_t kMostSearched = 32;    // classes; the noise matrix of more takes its time
constexpr double kShrinkages[] = {.3, .6};    // their answers are averaged, too
constexpr double kExponents[] = {.25, .35, .5, .7, 1, 1.4};
constexpr std::int64_t kSpans = 4;
constexpr std::int64_t kLeastOfSpan = 100;  // records

std::vector<std::int64_t> rows_of(const std::vector<char>& flags) {
  std::vector<std::int64_t> rows;
  for (std::size_t i = 0; i < flags.size(); ++i) {
    if (flags[i]) rows.push_back(static_cast<std::int64_t>(i));
  }
  return rows;
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

// What p and the labels say together.
struct Weighed {
  double likelihood = -std::numeric_limits<double>::infinity();  // mean, of the labels given
  double exponent = 1;
  ProbabilityTable p, posterior;
};

class LabelWeighing {
 public:
  LabelWeighing(const TableRecords& r, const std::vector<std::int64_t>& group,
                const std::vector<char>& sound)
      : labels_(r.label), slices_(time_slices(r.time)), rows_(rows_of(sound)) {
    std::vector<std::vector<std::int64_t>> members(group.size());
    for (const std::int64_t i : rows_) {
      if (labels_[i] >= 0) members[group[i]].push_back(i);
    }
    for (auto& copies : members) {
      if (copies.size() > 1) copies_.push_back(std::move(copies));
    }
  }

  // p to the power `exponent`.
  Weighed weigh(const ProbabilityTable& p, double exponent) const {
    Weighed w;
    w.exponent = exponent;
    w.p = sharpened(p, exponent);
    const SlicedNoise noise =
        estimate_sliced_noise(w.p, labels_, rows_, slices_.of, slices_.count, kShrink, kIterations);
    w.likelihood = mean_log_likelihood(w.p, labels_, rows_, slices_.of, noise);
    w.posterior = sliced_class_posteriors(w.p, labels_, slices_.of, noise);
    for (const auto& copies : copies_) join(copies, w, noise);
    return w;
  }

  // The power under which the labels are likeliest, which the models of p have not seen.
  Weighed search(const ProbabilityTable& p) const {
    Weighed best;
    for (const double exponent : kExponents) {
      Weighed w = weigh(p, exponent);
      if (best.p.rows == 0 || w.likelihood > best.likelihood) best = std::move(w);
    }
    return best;
  }

 private:
  // Copies have one class: P(class | p, all their labels), p being their geometric mean.
  void join(const std::vector<std::int64_t>& copies, Weighed& w, const SlicedNoise& noise) const {
    if (!w.p.known(copies.front())) return;
    const std::int64_t classes = w.p.classes;
    std::vector<double> log_p(static_cast<std::size_t>(classes));
    for (const std::int64_t i : copies) {
      for (std::int64_t k = 0; k < classes; ++k) {
        const double given = noise.of(slices_.of[i])[k * classes + labels_[i]];
        log_p[k] += std::log(std::max(w.p.row(i)[k], 1e-12)) / static_cast<double>(copies.size()) +
                    std::log(std::max(given, 1e-12));
      }
    }
    const double most = *std::max_element(log_p.begin(), log_p.end());
    double total = 0;
    for (double& value : log_p) total += value = std::exp(value - most);
    for (double& value : log_p) value /= total;
    for (const std::int64_t i : copies) {
      std::copy(log_p.begin(), log_p.end(), w.posterior.values.begin() + i * classes);
    }
  }

  static constexpr double kShrink = 20;
  static constexpr int kIterations = 12;
  const std::vector<std::int64_t>& labels_;
  const TimeSlices slices_;
  const std::vector<std::int64_t> rows_;
  std::vector<std::vector<std::int64_t>> copies_;  // groups of two sound labelled records or more
};

// Two rounds: models of the labels given, then models of the class posteriors that follow from the
// first. Those posteriors come from the labels, so that a model learning from them would have seen
// the label that it is to judge, were they not made anew for each fold, from the other folds alone.
ProbabilityTable judge_twice(const DiscriminantFolds& folds, const LabelWeighing& weighing,
                             const ProbabilityTable& given, double shrink) {
  const ProbabilityTable first = folds.out_of_fold(given, shrink);
  const double exponent = weighing.search(first).exponent;
  ProbabilityTable second = first;
  for (int fold = 0; fold < folds.folds(); ++fold) {
    const ProbabilityTable others = folds.out_of_fold(given, shrink, fold);
    folds.judge_fold(fold, weighing.weigh(others, exponent).posterior, shrink, second);
  }
  return second;
}

// a b^power, normalised.
ProbabilityTable product_of(const ProbabilityTable& a, const ProbabilityTable& b, double power) {
  ProbabilityTable out{a.rows, a.classes, std::vector<double>(a.values.size())};
  for (std::int64_t i = 0; i < a.rows; ++i) {
    double* row = out.values.data() + i * a.classes;
    double most = -std::numeric_limits<double>::infinity(), sum = 0;
    for (std::int64_t k = 0; k < a.classes; ++k) {
      row[k] =
          std::log(std::max(a.row(i)[k], 1e-9)) + power * std::log(std::max(b.row(i)[k], 1e-9));
      most = std::max(most, row[k]);
    }
    for (std::int64_t k = 0; k < a.classes; ++k) sum += row[k] = std::exp(row[k] - most);
    for (std::int64_t k = 0; k < a.classes; ++k) row[k] /= sum;
  }
  return out;
}

// Geometric mean of tables, normalised.
class MeanOfLogs {
 public:
  void add(const ProbabilityTable& p) {
    if (sum_.rows == 0) sum_ = {p.rows, p.classes, std::vector<double>(p.values.size())};
    for (std::size_t i = 0; i < p.values.size(); ++i) {
      sum_.values[i] += std::log(std::max(p.values[i], 1e-30));
    }
    ++count_;
  }

  ProbabilityTable mean() const {
    ProbabilityTable out = sum_;
    for (std::int64_t i = 0; i < out.rows; ++i) {
      double* row = out.values.data() + i * out.classes;
      const double most = *std::max_element(row, row + out.classes);
      double total = 0;
      for (std::int64_t k = 0; k < out.classes; ++k) {
        total += row[k] = std::exp((row[k] - most) / count_);
      }
      for (std::int64_t k = 0; k < out.classes; ++k) row[k] /= total;
    }
    return out;
  }

 private:
  ProbabilityTable sum_;
  double count_ = 0;
};

// One-hot rows; NaN where there is no label.
ProbabilityTable given_labels(const TableRecords& r) {
  const std::int64_t n = r.size(), classes = r.label_names.size();
  ProbabilityTable out{n, classes, std::vector<double>(static_cast<std::size_t>(n * classes))};
  for (std::int64_t i = 0; i < n; ++i) {
    double* row = out.values.data() + i * classes;
    if (r.label[i] >= 0) {
      row[r.label[i]] = 1;
    } else {
      std::fill(row, row + classes, kNotApplicable);
    }
  }
  return out;
}

// Sentence vectors where they are given, and the leading directions of the words.
Tensor dense_view(const ClassifierInputs& inputs, std::uint64_t seed) {
  if (!inputs.embeddings.defined()) return latent_words(inputs.tokens, kLatent, seed);
  Tensor view = unit_rows(inputs.embeddings);
  if (inputs.tokens.size() <= kMostLatent) {
    const Tensor words = mul(latent_words(inputs.tokens, kLatent, seed), kWordsBesideVectors);
    view = cat(std::vector<Tensor>{view, words}, 1);
  }
  return leading_directions(view, kDirections, seed);
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
  if (!inputs.embeddings.defined() && n > kMostLatent) {
    return judge_by_tokens(r, inputs, group, weight, sound, seed);
  }
  const LabelWeighing weighing(r, group, sound);
  const bool search = classes <= kMostSearched;
  const Tensor view = dense_view(inputs, seed);
  const ProbabilityTable given = given_labels(r);
  MeanOfLogs answers;
  for (std::uint64_t partition = 0; partition < (search ? kPartitions : 1); ++partition) {
    const DiscriminantFolds folds(view, group, weight, kFolds, seed + partition);
    for (const double shrink : kShrinkages) {
      answers.add(search ? judge_twice(folds, weighing, given, shrink)
                         : folds.out_of_fold(given, shrink));
    }
  }
  Weighed judged = search ? weighing.search(answers.mean()) : weighing.weigh(answers.mean(), 1);
  // The words alone, watched while they learn: from each record by how probable its label is.
  for (std::int64_t i = 0; i < n; ++i) {
    if (r.label[i] >= 0) weight[i] *= static_cast<float>(judged.posterior.row(i)[r.label[i]]);
  }
  ClassifierOptions options;
  options.seed = seed;
  LabelEvidence evidence;
  evidence.training =
      out_of_fold({inputs.tokens, {}}, r.label, classes, group, weight, nullptr, options);
  if (search && !inputs.embeddings.defined()) {
    // Without vectors that model judges, too, by as much as makes the labels likeliest.
    const ProbabilityTable first = judged.p;
    for (const double power : kExponents) {
      Weighed w = weighing.search(product_of(first, evidence.training.p, power));
      if (w.likelihood > judged.likelihood) judged = std::move(w);
    }
  }
  evidence.p = std::move(judged.p);
  evidence.posterior = std::move(judged.posterior);
  evidence.joint = true;
  return evidence;
}

}  // namespace athanor::distill
