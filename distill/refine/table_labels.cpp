#include "distill/refine/table_labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "distill/refine/discriminant.h"
#include "distill/refine/feature_values.h"
#include "distill/refine/latent_words.h"
#include "distill/restructure/knn_graph.h"
#include "tensor/ops/cat.h"

namespace athanor::distill {
namespace {

constexpr std::int64_t kMostClasses = 256;
constexpr int kTrustRounds = 2;
constexpr int kFolds = 5;
constexpr std::int64_t kLatent = 256;         // dimensions of the words
constexpr std::int64_t kMostLatent = 50'000;  // records whose words are kept so
constexpr std::int64_t kMostSearched = 32;    // classes; the noise matrix of more takes its time
constexpr double kShrinkages[] = {.1, .3, .6};
constexpr double kExponents[] = {0, .35, .5, .7, 1, 1.4};
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
  ProbabilityTable p, posterior;
};

class LabelWeighing {
 public:
  LabelWeighing(const TableRecords& r, const std::vector<char>& sound)
      : labels_(r.label), slices_(time_slices(r.time)), rows_(rows_of(sound)) {}

  Weighed weigh(ProbabilityTable p) const {
    const SlicedNoise noise =
        estimate_sliced_noise(p, labels_, rows_, slices_.of, slices_.count, kShrink, kIterations);
    Weighed w;
    w.likelihood = mean_log_likelihood(p, labels_, rows_, slices_.of, noise);
    w.posterior = sliced_class_posteriors(p, labels_, slices_.of, noise);
    w.p = std::move(p);
    return w;
  }

 private:
  static constexpr double kShrink = 20;
  static constexpr int kIterations = 12;
  const std::vector<std::int64_t>& labels_;
  const TimeSlices slices_;
  const std::vector<std::int64_t> rows_;
};

// a^x b^y, normalised; a row that one of them does not know is the other's.
ProbabilityTable product_of(const ProbabilityTable& a, double x, const ProbabilityTable& b,
                            double y) {
  ProbabilityTable out{a.rows, a.classes, std::vector<double>(a.values.size())};
  for (std::int64_t i = 0; i < a.rows; ++i) {
    double* row = out.values.data() + i * a.classes;
    double most = -std::numeric_limits<double>::infinity(), sum = 0;
    for (std::int64_t k = 0; k < a.classes; ++k) {
      row[k] =
          x * std::log(std::max(a.row(i)[k], 1e-9)) + y * std::log(std::max(b.row(i)[k], 1e-9));
      most = std::max(most, row[k]);
    }
    for (std::int64_t k = 0; k < a.classes; ++k) sum += row[k] = std::exp(row[k] - most);
    for (std::int64_t k = 0; k < a.classes; ++k) row[k] /= sum;
  }
  return out;
}

// How much either view counts: the exponents under which the labels are likeliest, one found after
// the other. Neither model has seen the labels that it is judged by.
Weighed weigh_views(const LabelWeighing& weighing, const ProbabilityTable& first,
                    const ProbabilityTable& second, bool search) {
  double x = 1, y = search ? 0 : 1;
  Weighed best = weighing.weigh(product_of(first, x, second, y));
  if (!search) return best;
  for (double* power : {&x, &y, &x}) {
    const double before = *power;
    double chosen = before;
    for (const double value : kExponents) {
      *power = value;
      if (value == before || x + y == 0) continue;
      Weighed w = weighing.weigh(product_of(first, x, second, y));
      if (!(w.likelihood > best.likelihood)) continue;
      best = std::move(w);
      chosen = value;
    }
    *power = chosen;
  }
  return best;
}

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
  const bool words = inputs.tokens.size() <= kMostLatent;
  if (!inputs.embeddings.defined()) return latent_words(inputs.tokens, kLatent, seed);
  const Tensor vectors = unit_rows(inputs.embeddings);
  return words ? cat(std::vector<Tensor>{vectors, latent_words(inputs.tokens, kLatent, seed)}, 1)
               : vectors;
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
  const LabelWeighing weighing(r, sound);
  const bool search = classes <= kMostSearched;
  const DiscriminantFolds dense(dense_view(inputs, seed), group, weight, kFolds, seed);
  LabelEvidence evidence;
  Weighed both;
  double shrink = kShrinkages[1];
  for (int round = 0; round < kTrustRounds; ++round) {
    ClassifierOptions options;
    options.seed = seed + static_cast<std::uint64_t>(round);  // other folds than before
    evidence.training =
        out_of_fold({inputs.tokens, {}}, r.label, classes, group, weight, nullptr, options);
    const ProbabilityTable targets = round == 0 ? given_labels(r) : std::move(both.posterior);
    both = {};
    ProbabilityTable view;
    if (round == 0 && search) {
      for (const double s : kShrinkages) {
        ProbabilityTable p = dense.out_of_fold(targets, s);
        Weighed w = weighing.weigh(p);
        if (!(w.likelihood > both.likelihood)) continue;
        both = std::move(w);
        view = std::move(p);
        shrink = s;
      }
    } else {
      view = dense.out_of_fold(targets, shrink);
    }
    both = weigh_views(weighing, view, evidence.training.p, search);
    // The words learn next from each record by how probable its label is by now.
    for (std::int64_t i = 0; i < n; ++i) {
      if (r.label[i] >= 0) weight[i] *= static_cast<float>(both.posterior.row(i)[r.label[i]]);
    }
  }
  evidence.p = std::move(both.p);
  evidence.posterior = std::move(both.posterior);
  return evidence;
}

}  // namespace athanor::distill
