#include "distill/refine/label_discriminants.h"

#include <algorithm>
#include <vector>

#include "distill/refine/discriminant.h"
#include "distill/refine/feature_values.h"
#include "distill/refine/latent_words.h"
#include "distill/refine/leading_directions.h"
#include "distill/restructure/knn_graph.h"
#include "tensor/ops.h"
#include "tensor/ops/cat.h"

namespace athanor::distill {
namespace {

constexpr int kFolds = 5;
constexpr std::uint64_t kPartitions = 3;    // into folds, whose answers are averaged
constexpr std::int64_t kLatent = 256;       // dimensions of the words
constexpr double kWordsBesideVectors = .7;  // length of a record's words, its vector's being 1
constexpr std::int64_t kDirections = 192;   // of vectors and words together
constexpr double kFreedom = 30;             // of the densities, where vectors are given
constexpr double kShrinkages[] = {.3, .6};  // their answers are averaged, too

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

// Sentence vectors where they are given, and the leading directions of the words.
// `steps`: of subspace iteration, for words and together.
struct Steps {
  int words = 4, together = 6;
};
Tensor dense_view(const LabelTask& task, std::uint64_t seed, Steps steps = {}) {
  if (!task.embeddings.defined()) {
    return latent_words(*task.tokens, kLatent, seed, steps.words);
  }
  Tensor view = unit_rows(task.embeddings);
  if (task.size() <= kMostLatent) {
    const Tensor words =
        mul(latent_words(*task.tokens, kLatent, seed, steps.words), kWordsBesideVectors);
    view = cat(std::vector<Tensor>{view, words}, 1);
  }
  return leading_directions(view, kDirections, seed, steps.together);
}

// Words alone are too weak a view for heavy tails: AUROC on SST-2 0.884 against 0.894 (seed 101),
// though TREC gains 0.001.
double freedom_of(const LabelTask& task) {
  return task.embeddings.defined() ? kFreedom : DiscriminantFolds::kGaussian;
}

}  // namespace

// One-hot rows; NaN where there is no label.
ProbabilityTable given_labels(const LabelTask& task) {
  const std::int64_t n = task.size(), classes = task.classes;
  ProbabilityTable out{n, classes, std::vector<double>(static_cast<std::size_t>(n * classes))};
  for (std::int64_t i = 0; i < n; ++i) {
    double* row = out.values.data() + i * classes;
    if (task.taught(i) >= 0) {
      row[task.taught(i)] = 1;
    } else {
      std::fill(row, row + classes, kNotApplicable);
    }
  }
  return out;
}

ProbabilityTable judge_by_discriminants(const LabelTask& task, const LabelWeighing& weighing,
                                        const ProbabilityTable& given,
                                        const std::vector<float>& weight, int rounds,
                                        std::uint64_t seed) {
  const bool search = few_classes(task);
  const Tensor view = dense_view(task, seed);
  MeanOfLogs answers;
  for (std::uint64_t partition = 0; partition < (search ? kPartitions : 1); ++partition) {
    const DiscriminantFolds folds(view, task.group, weight, kFolds, seed + partition,
                                  freedom_of(task));
    if (search) {
      for (const auto& p : judge_in_rounds(folds, weighing, given, rounds)) answers.add(p);
    } else {
      for (const double shrink : kShrinkages) answers.add(folds.out_of_fold(given, shrink));
    }
  }
  return answers.mean();
}

ProbabilityTable judge_by_discriminants(const LabelTask& task, const ProbabilityTable& given,
                                        const std::vector<std::int64_t>& part,
                                        const std::vector<float>& weight, std::uint64_t seed) {
  // Directions that are nearly the leading ones do: most of the time would go into them.
  const DiscriminantFolds parts(dense_view(task, seed, {1, 2}), part, weight, freedom_of(task));
  const auto cells = static_cast<std::size_t>(task.size() * task.classes);
  MeanOfLogs answers;
  for (const double shrink : kShrinkages) {
    ProbabilityTable p{task.size(), task.classes, std::vector<double>(cells, kNotApplicable)};
    for (int asked = 1; asked < parts.folds(); ++asked) parts.judge_fold(asked, given, shrink, p);
    answers.add(p);
  }
  return answers.mean();
}

}  // namespace athanor::distill
