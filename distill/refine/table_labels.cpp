#include "distill/refine/table_labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "distill/refine/feature_values.h"
#include "distill/refine/label_discriminants.h"
#include "distill/refine/label_weighing.h"

namespace athanor::distill {
namespace {

constexpr std::int64_t kMostClasses = 256;
// Rounds of learning. Words alone confirm their own mistakes in a third (TREC hard, seeds 1 and 21:
// 0.561 at retention 0.95 against 0.569).
constexpr int kRounds = 3, kRoundsOfWords = 2;
// What a verified record teaches, an unverified one teaching 1. TREC, seeds 1 and 21, effective
// share at retention 0.95: without any 0.840 standard, 0.814 hard; with 300 that weigh 1, 4, 8, 16,
// 32 as much 0.854, 0.862, 0.865, 0.877, 0.880 and 0.845, 0.856, 0.864, 0.873, 0.875.
constexpr float kVerifiedWeight = 16;
// Where a table is extended verified records are asked, too: what models say that learned from half
// of them.
constexpr std::int64_t kVerifiedParts = 2;

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

ClassifierOptions classifier_options(std::uint64_t seed) {
  ClassifierOptions options;
  options.seed = seed;
  return options;
}

// The power of the answers is sought only where there are few classes.
Weighed judged_alone(const LabelWeighing& weighing, const ProbabilityTable& p, bool search) {
  return search ? weighing.search(p) : weighing.weigh(p, 1);
}
// Known rows of `from` into `to`, all of them or where that one is unknown.
void take_known_rows(const ProbabilityTable& from, ProbabilityTable& to, bool all) {
  for (std::int64_t i = 0; i < from.rows; ++i) {
    if (!from.known(i) || (!all && to.known(i))) continue;
    std::copy_n(from.row(i), from.classes, to.values.begin() + i * from.classes);
  }
}

// A teacher's answers together with those of models of the labels, or the likelier of the two
// alone: neither may spoil the other. Where the teacher knows nothing the models judge.
Weighed with_advice(const LabelWeighing& weighing, const Weighed& advice, Weighed judged,
                    bool search) {
  if (!search) return weighing.weigh(product_of(judged.p, advice.p, 1), 1);
  Weighed both = weighing.with_second_view(advice, judged.p);
  if (both.likelihood <= judged.likelihood) return judged;
  take_known_rows(judged.p, both.p, false);
  take_known_rows(judged.posterior, both.posterior, false);
  return both;
}

// What each of the first `records` records teaches, and the verified ones behind the table: of a
// group of copies all sound ones together as much as one.
std::vector<float> weights_of(const LabelTask& task, std::int64_t records) {
  std::vector<float> weight(static_cast<std::size_t>(task.size())), size(weight.size());
  const auto teaches = [&](std::int64_t i) {
    return task.sound[i] && (i < records || i >= task.judged);
  };
  for (std::int64_t i = 0; i < task.size(); ++i) size[task.group[i]] += teaches(i);
  for (std::int64_t i = 0; i < task.size(); ++i) {
    if (teaches(i)) weight[i] = i < task.judged ? 1 / size[task.group[i]] : kVerifiedWeight;
  }
  return weight;
}

std::vector<std::int64_t> taught_labels(const LabelTask& task) {
  std::vector<std::int64_t> labels(task.label);
  for (std::int64_t i = 0; i < task.size(); ++i) labels[i] = task.taught(i);
  return labels;
}

// The first n rows of what has more.
void keep_rows(ProbabilityTable& p, std::int64_t n) {
  if (p.rows <= n) return;
  p.rows = n;
  p.values.resize(static_cast<std::size_t>(n * p.classes));
}
void keep_rows(LabelEvidence& e, std::int64_t n) {
  for (ProbabilityTable* p : {&e.answers, &e.p, &e.posterior, &e.training.p}) keep_rows(*p, n);
  const auto rows = static_cast<std::size_t>(n);
  if (e.training.forgetting.size() <= rows) return;
  e.training.forgetting.resize(rows);
  e.training.confidence.resize(rows);
  e.training.variability.resize(rows);
}

// Words alone tell classes apart too badly for a noise matrix to be estimated: with posteriors they
// confirm each other's mistakes (TREC, standard mixture: AUROC of the score 0.82 against 0.90).
// Two rounds; the second learns from each record by how probable the first found its label.
LabelEvidence judge_by_tokens(const LabelTask& task, std::vector<float> weight,
                              std::uint64_t seed) {
  const std::vector<std::int64_t> labels = taught_labels(task);
  const ClassifierOptions options = classifier_options(seed);
  const auto judge = [&] {
    return out_of_fold({*task.tokens, {}}, labels, task.classes, task.group, weight, nullptr,
                       options);
  };
  const OutOfFold first = judge();
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < task.judged; ++i) {
    if (task.sound[i]) rows.push_back(i);
  }
  const auto noise = estimate_noise_matrix(first.p, task.label, rows);
  const auto posterior = label_posteriors(first.p, task.label, noise);
  for (std::int64_t i = 0; i < task.size(); ++i) {
    if (!task.verified(i) && is_applicable(posterior[i])) {
      weight[i] *= static_cast<float>(posterior[i]);
    }
  }
  LabelEvidence evidence;
  evidence.training = judge();
  evidence.p = evidence.training.p;
  evidence.posterior = evidence.p;
  if (task.teacher.rows == 0) return evidence;
  const LabelWeighing weighing(task);
  const bool search = few_classes(task);
  Weighed judged = with_advice(weighing, judged_alone(weighing, task.teacher, search),
                               judged_alone(weighing, evidence.training.p, search), search);
  evidence.p = std::move(judged.p);
  evidence.posterior = std::move(judged.posterior);
  return evidence;
}

// The words alone, watched while they learn: from each record by how probable its label is.
OutOfFold watch_words(const LabelTask& task, std::vector<float> weight,
                      const ProbabilityTable& posterior, std::uint64_t seed) {
  const std::vector<std::int64_t> labels = taught_labels(task);
  for (std::int64_t i = 0; i < task.size(); ++i) {
    if (labels[i] < 0 || !posterior.known(i)) continue;
    weight[i] *= static_cast<float>(posterior.row(i)[labels[i]]);
  }
  return out_of_fold({*task.tokens, {}}, labels, task.classes, task.group, weight, nullptr,
                     classifier_options(seed));
}

// What was found of the records to judge.
LabelEvidence found(const LabelTask& task, LabelEvidence evidence, Weighed judged) {
  evidence.p = std::move(judged.p);
  evidence.posterior = std::move(judged.posterior);
  evidence.joint = true;
  keep_rows(evidence, task.judged);
  return evidence;
}

}  // namespace

LabelEvidence judge_labels(const LabelTask& task, std::uint64_t seed) {
  const bool vectors = task.embeddings.defined(), advised = task.teacher.rows > 0;
  const std::vector<float> weight = weights_of(task, task.size());
  LabelEvidence evidence;
  if (!vectors && task.size() > kMostLatent) {
    evidence = judge_by_tokens(task, weight, seed);
    keep_rows(evidence, task.judged);
    return evidence;
  }
  const LabelWeighing weighing(task);
  const bool search = few_classes(task);
  ProbabilityTable given = given_labels(task);
  Weighed advice;
  if (advised) {
    advice = judged_alone(weighing, task.teacher, search);
    take_known_rows(advice.posterior, given, true);
  }
  const int rounds = advised ? 1 : vectors ? kRounds : kRoundsOfWords;
  evidence.answers = judge_by_discriminants(task, weighing, given, weight, rounds, seed);
  Weighed judged = judged_alone(weighing, evidence.answers, search);
  if (advised) judged = with_advice(weighing, advice, std::move(judged), search);
  evidence.training = watch_words(task, weight, judged.posterior, seed);
  if (search && !vectors) {
    judged = weighing.with_second_view(std::move(judged), evidence.training.p);
  }
  return found(task, std::move(evidence), std::move(judged));
}

LabelEvidence judge_by_answers(const LabelTask& task, const ProbabilityTable& answers,
                               std::uint64_t seed) {
  ProbabilityTable all = answers;
  all.rows = task.size();
  all.values.resize(static_cast<std::size_t>(all.rows * all.classes), kNotApplicable);
  const LabelWeighing weighing(task);
  const bool search = few_classes(task), vectors = task.embeddings.defined();
  const std::vector<float> weight = weights_of(task, task.size());
  Weighed judged = search ? weighing.search(all, kExponentsOfGiven) : weighing.weigh(all, 1);
  // Likelihoods are those of the records that the answers are about.
  const auto add_view = [&](ProbabilityTable view) {
    for (std::int64_t i = 0; i < view.rows; ++i) {
      if (!all.known(i))
        std::fill_n(view.values.begin() + i * view.classes, view.classes, kNotApplicable);
    }
    judged = weighing.with_second_view(std::move(judged), view);
  };
  if (search && vectors) {
    const ProbabilityTable own =
        judge_by_discriminants(task, weighing, given_labels(task), weight, kRounds, seed);
    add_view(weighing.search(own).p);
  }
  if (task.teacher.rows > 0) {
    const Weighed advice = judged_alone(weighing, task.teacher, search);
    judged = with_advice(weighing, advice, std::move(judged), search);
  }
  LabelEvidence evidence;
  evidence.training = watch_words(task, weight, judged.posterior, seed);
  if (search && !vectors) add_view(evidence.training.p);
  return found(task, std::move(evidence), std::move(judged));
}

namespace {

// Rows [0, first) of `before`, then those of `now`, which has all rows.
ProbabilityTable continued(const ProbabilityTable& before, ProbabilityTable now) {
  std::copy(before.values.begin(), before.values.end(), now.values.begin());
  return now;
}

// Who learns and who is asked where the records from `first` on are new: records of part 0 teach,
// new ones make up part 1, and verified ones the parts behind, of which each is asked what models
// say that learn from the others. What is known of an earlier record holds the truth of the
// verified ones that say the same: these are of part 0.
std::vector<std::int64_t> parts_of(const LabelTask& task, std::int64_t first) {
  std::vector<std::int64_t> part(static_cast<std::size_t>(task.size()));
  for (std::int64_t i = first; i < task.judged; ++i) part[i] = 1;
  for (std::int64_t i = task.judged; i < task.size(); ++i) {
    if (task.group[i] >= first) part[i] = 2 + task.group[i] % kVerifiedParts;
  }
  return part;
}

// The words' linear model on the records of each part but 0, learned from the others.
void judge_parts_by_words(const LabelTask& task, const std::vector<std::int64_t>& part,
                          const std::vector<float>& trust, std::uint64_t seed,
                          ProbabilityTable& out) {
  const std::vector<std::int64_t> labels = taught_labels(task);
  for (std::int64_t asked = 1; asked < 2 + kVerifiedParts; ++asked) {
    std::vector<std::int64_t> rows;
    std::vector<float> weight(trust);
    for (std::int64_t i = 0; i < task.size(); ++i) {
      if (part[i] != asked) continue;
      rows.push_back(i);
      weight[i] = 0;
    }
    if (rows.empty()) continue;
    judge_by_one_model({*task.tokens, {}}, labels, weight, rows, classifier_options(seed), out);
  }
}

// What is known of each record that teaches, one class for sure where somebody vouches for it.
void settle(const LabelTask& task, ProbabilityTable& p) {
  for (std::int64_t i = 0; i < p.rows; ++i) {
    if (!task.verified(i)) continue;
    double* row = p.values.data() + i * p.classes;
    std::fill(row, row + p.classes, 0.);
    row[task.truth[i]] = 1;
  }
}

}  // namespace

LabelEvidence judge_new_labels(const LabelTask& task, const LabelEvidence& before,
                               std::uint64_t seed) {
  const std::int64_t n = task.size(), classes = task.classes, first = before.p.rows;
  if (first < 1 || first >= task.judged || before.p.classes != classes) {
    fail("judge_new_labels", "expected answers on fewer than ", task.judged, " records in ",
         classes, " classes, got [", first, ", ", before.p.classes, "]");
  }
  const std::vector<std::int64_t> part = parts_of(task, first);
  const std::vector<float> weight = weights_of(task, first);
  ProbabilityTable known = before.posterior;  // of the earlier records
  settle(task, known);
  ProbabilityTable unknown{
      n, classes, std::vector<double>(static_cast<std::size_t>(n * classes), kNotApplicable)};
  LabelEvidence after;
  after.joint = before.joint;
  if (!task.embeddings.defined()) {
    // As in a run over all records, it learns from a record by how probable its label is.
    std::vector<float> trust(weight);
    for (std::int64_t i = 0; i < first; ++i) {
      if (task.taught(i) >= 0) trust[i] *= static_cast<float>(known.row(i)[task.taught(i)]);
    }
    after.training.p = continued(before.training.p, unknown);
    judge_parts_by_words(task, part, trust, seed, after.training.p);
  }
  if (!before.joint) {
    after.p = after.posterior = after.training.p;
    keep_rows(after, task.judged);
    return after;
  }
  ProbabilityTable targets = continued(known, unknown);
  for (std::int64_t i = task.judged; i < n; ++i) {
    std::fill_n(targets.values.begin() + i * classes, classes, 0.);
    targets.values[i * classes + task.truth[i]] = 1;
  }
  after.answers =
      continued(before.answers, judge_by_discriminants(task, targets, part, weight, seed));
  // The models have seen what an earlier copy of a new record is labelled: its answer did not.
  for (std::int64_t i = first; i < task.judged; ++i) {
    if (task.group[i] >= first) continue;
    std::copy_n(after.answers.row(task.group[i]), classes,
                after.answers.values.begin() + i * classes);
  }
  const LabelWeighing weighing(task);
  const bool search = few_classes(task);
  Weighed judged = judged_alone(weighing, after.answers, search);
  if (task.teacher.rows > 0) {
    const Weighed advice = judged_alone(weighing, task.teacher, search);
    judged = with_advice(weighing, advice, std::move(judged), search);
  }
  if (search && !task.embeddings.defined()) {
    judged = weighing.with_second_view(std::move(judged), after.training.p);
  }
  after.p = continued(before.p, std::move(judged.p));
  after.posterior = continued(known, std::move(judged.posterior));
  keep_rows(after, task.judged);
  return after;
}

}  // namespace athanor::distill
