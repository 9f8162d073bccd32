#include "distill/refine/table_labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "distill/refine/discriminant.h"
#include "distill/refine/feature_values.h"
#include "distill/refine/label_weighing.h"
#include "distill/refine/latent_words.h"
#include "distill/refine/leading_directions.h"
#include "distill/restructure/knn_graph.h"
#include "tensor/ops.h"
#include "tensor/ops/cat.h"

namespace athanor::distill {
namespace {

constexpr std::int64_t kMostClasses = 256;
constexpr int kFolds = 5;
// Rounds of learning. Words alone confirm their own mistakes in a third (TREC hard, seeds 1 and 21:
// 0.561 at retention 0.95 against 0.569).
constexpr int kRounds = 3, kRoundsOfWords = 2;
constexpr std::uint64_t kPartitions = 3;      // into folds, whose answers are averaged
constexpr std::int64_t kLatent = 256;         // dimensions of the words
constexpr double kWordsBesideVectors = .7;    // length of a record's words, its vector's being 1
constexpr std::int64_t kDirections = 192;     // of vectors and words together
constexpr std::int64_t kMostLatent = 50'000;  // records whose words are kept so
constexpr std::int64_t kMostSearched = 32;    // classes; the noise matrix of more takes its time
constexpr double kFreedom = 30;               // of the densities, where vectors are given
constexpr double kShrinkages[] = {.3, .6};    // their answers are averaged, too

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

namespace {

// Rounds: models of the labels given, then models of the class posteriors that follow from the
// round before. Those posteriors come from the labels, so that a model learning from them would
// have seen the label that it is to judge, were they not made anew for each fold, from the other
// folds alone. One answer for each shrinkage.
std::vector<ProbabilityTable> judge_in_rounds(const DiscriminantFolds& folds,
                                              const LabelWeighing& weighing,
                                              const ProbabilityTable& given, int rounds) {
  std::vector<ProbabilityTable> last;
  std::vector<double> exponent;
  for (const double shrink : kShrinkages) {
    last.push_back(folds.out_of_fold(given, shrink));
    exponent.push_back(weighing.search(last.back()).exponent);
  }
  for (int fold = 0; fold < folds.folds(); ++fold) {
    for (std::size_t s = 0; s < last.size(); ++s) {
      ProbabilityTable targets = given;
      for (int round = 1; round < rounds; ++round) {
        const ProbabilityTable others = folds.out_of_fold(targets, kShrinkages[s], fold);
        targets = weighing.weigh(others, exponent[s]).posterior;
      }
      folds.judge_fold(fold, targets, kShrinkages[s], last[s]);
    }
  }
  return last;
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
// `steps`: of subspace iteration, for words and together.
struct Steps {
  int words = 4, together = 6;
};
Tensor dense_view(const ClassifierInputs& inputs, std::uint64_t seed, Steps steps = {}) {
  if (!inputs.embeddings.defined()) {
    return latent_words(inputs.tokens, kLatent, seed, steps.words);
  }
  Tensor view = unit_rows(inputs.embeddings);
  if (inputs.tokens.size() <= kMostLatent) {
    const Tensor words =
        mul(latent_words(inputs.tokens, kLatent, seed, steps.words), kWordsBesideVectors);
    view = cat(std::vector<Tensor>{view, words}, 1);
  }
  return leading_directions(view, kDirections, seed, steps.together);
}

// Words alone are too weak a view for heavy tails: AUROC on SST-2 0.884 against 0.894 (seed 101),
// though TREC gains 0.001.
double freedom_of(const ClassifierInputs& inputs) {
  return inputs.embeddings.defined() ? kFreedom : DiscriminantFolds::kGaussian;
}

// Without vectors the linear model of the words judges, too, by as much as makes the labels
// likeliest.
void add_second_view(const LabelWeighing& weighing, const ProbabilityTable& p, Weighed& judged) {
  const ProbabilityTable first = judged.p;
  for (const double power : kExponents) {
    Weighed w = weighing.search(product_of(first, p, power));
    if (w.likelihood > judged.likelihood) judged = std::move(w);
  }
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
  const double freedom = freedom_of(inputs);
  const int rounds = inputs.embeddings.defined() ? kRounds : kRoundsOfWords;
  const ProbabilityTable given = given_labels(r);
  MeanOfLogs answers;
  for (std::uint64_t partition = 0; partition < (search ? kPartitions : 1); ++partition) {
    const DiscriminantFolds folds(view, group, weight, kFolds, seed + partition, freedom);
    if (search) {
      for (const auto& p : judge_in_rounds(folds, weighing, given, rounds)) answers.add(p);
    } else {
      for (const double shrink : kShrinkages) answers.add(folds.out_of_fold(given, shrink));
    }
  }
  LabelEvidence evidence;
  evidence.answers = answers.mean();
  Weighed judged = search ? weighing.search(evidence.answers) : weighing.weigh(evidence.answers, 1);
  // The words alone, watched while they learn: from each record by how probable its label is.
  for (std::int64_t i = 0; i < n; ++i) {
    if (r.label[i] >= 0) weight[i] *= static_cast<float>(judged.posterior.row(i)[r.label[i]]);
  }
  ClassifierOptions options;
  options.seed = seed;
  evidence.training =
      out_of_fold({inputs.tokens, {}}, r.label, classes, group, weight, nullptr, options);
  if (search && !inputs.embeddings.defined()) {
    add_second_view(weighing, evidence.training.p, judged);
  }
  evidence.p = std::move(judged.p);
  evidence.posterior = std::move(judged.posterior);
  evidence.joint = true;
  return evidence;
}

namespace {

// Rows [0, first) of `before`, then those of `now`, which has all rows.
ProbabilityTable continued(const ProbabilityTable& before, ProbabilityTable now) {
  std::copy(before.values.begin(), before.values.end(), now.values.begin());
  return now;
}

}  // namespace

LabelEvidence judge_new_labels(const TableRecords& r, const ClassifierInputs& inputs,
                               const std::vector<std::int64_t>& group,
                               const std::vector<char>& sound, const LabelEvidence& before,
                               std::uint64_t seed) {
  const std::int64_t n = r.size(), classes = r.label_names.size(), first = before.p.rows;
  if (first < 1 || first >= n || before.p.classes != classes) {
    fail("judge_new_labels", "expected answers on fewer than ", n, " records in ", classes,
         " classes, got [", first, ", ", before.p.classes, "]");
  }
  std::vector<std::int64_t> part(static_cast<std::size_t>(n)), fresh;
  std::vector<float> weight(static_cast<std::size_t>(n)), size(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < first; ++i) size[group[i]] += sound[i];
  for (std::int64_t i = 0; i < first; ++i) {
    if (sound[i]) weight[i] = 1 / size[group[i]];
  }
  for (std::int64_t i = first; i < n; ++i) {
    part[i] = 1;
    fresh.push_back(i);
  }
  ProbabilityTable unknown{
      n, classes, std::vector<double>(static_cast<std::size_t>(n * classes), kNotApplicable)};
  LabelEvidence after;
  after.joint = before.joint;
  if (!inputs.embeddings.defined()) {
    // As in a run over all records, it learns from a record by how probable its label is.
    std::vector<float> trust(weight);
    for (std::int64_t i = 0; i < first; ++i) {
      if (r.label[i] >= 0) trust[i] *= static_cast<float>(before.posterior.row(i)[r.label[i]]);
    }
    ClassifierOptions options;
    options.seed = seed;
    after.training.p = continued(before.training.p, unknown);
    judge_by_one_model(inputs, r.label, trust, fresh, options, after.training.p);
  }
  if (!before.joint) {
    after.p = after.posterior = after.training.p;
    return after;
  }
  // Directions that are nearly the leading ones do: most of the time would go into them.
  const DiscriminantFolds parts(dense_view(inputs, seed, {1, 2}), part, weight, freedom_of(inputs));
  const ProbabilityTable targets = continued(before.posterior, unknown);
  MeanOfLogs answers;
  for (const double shrink : kShrinkages) {
    ProbabilityTable p = unknown;
    parts.judge_fold(1, targets, shrink, p);
    answers.add(p);
  }
  after.answers = continued(before.answers, answers.mean());
  // The models have seen what an earlier copy of a new record is labelled: its answer did not.
  for (const std::int64_t i : fresh) {
    if (group[i] >= first) continue;
    std::copy_n(after.answers.row(group[i]), classes, after.answers.values.begin() + i * classes);
  }
  const LabelWeighing weighing(r, group, sound);
  const bool search = classes <= kMostSearched;
  Weighed judged = search ? weighing.search(after.answers) : weighing.weigh(after.answers, 1);
  if (search && !inputs.embeddings.defined()) {
    add_second_view(weighing, after.training.p, judged);
  }
  after.p = continued(before.p, std::move(judged.p));
  after.posterior = continued(before.posterior, std::move(judged.posterior));
  return after;
}

}  // namespace athanor::distill
