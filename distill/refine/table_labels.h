// Features 4, 10, 11 and 12: what models say about the labels of a table.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "distill/refine/hashed_classifier.h"
#include "distill/refine/label_task.h"
#include "distill/refine/table_records.h"

namespace athanor::distill {

// A class must have as many records, or labels cannot be judged.
inline constexpr std::int64_t kLeastOfClass = 50;

// Why the labels of a table cannot be judged, "" when they can.
std::string label_obstacle(const TableRecords& records);

struct LabelEvidence {
  ProbabilityTable answers;  // of the discriminants, before any power or second view; where joint
  // Of models that did not learn from the record, [records, classes]; unknown rows are NaN. To the
  // power under which the labels given are likeliest, so that it is neither too sure nor unsure.
  ProbabilityTable p;
  // P(true class | p, label given, time): p_k T_s[k, y], normalised; T_s is the noise matrix of the
  // record's span of time s, estimated from all records together with the classes' shares in p.
  ProbabilityTable posterior;
  // Sound copies of each other have one posterior, which takes in the labels of all.
  bool joint = false;
  OutOfFold training;  // of the last round; empty where probabilities were given
};

// Discriminants out of fold on sentence vectors (where given) beside the leading directions of the
// words, or on these alone, in three rounds with vectors and two without: each later one learns
// from the class posteriors that the answers of the one before and the labels give, made for each
// fold without its own labels. Three partitions into folds and two strengths of shrinkage are
// averaged. `training` is a robust linear model on hashed words that learns from each record by how
// probable its label is by then; without vectors it counts as a second view, by as much as makes
// the labels likeliest. Beyond 50,000 records the directions of the words are left out, and without
// vectors that model judges alone, `posterior` being p; beyond 32 classes there is one round, one
// partition, no search for a power. Models learn from sound records; of a group of copies all its
// sound records together count as one. Verified records teach their true class. Where there is a
// teacher, models learn in one round from the class posteriors that its answers and the labels
// give, and its answers count as a further view, by as much as makes the labels likeliest.
LabelEvidence judge_labels(const LabelTask& task, std::uint64_t seed);

// The same from answers of models elsewhere [judged, classes] that did not learn from the record's
// own label: noise matrices, power and joint copies as above, verified records, and a teacher. What
// the table itself says is a second view, by as much as makes the labels likeliest: discriminants
// where vectors are given, else the words' linear model. Rows that `answers` does not know stay
// unknown but for a teacher.
LabelEvidence judge_by_answers(const LabelTask& task, const ProbabilityTable& answers,
                               std::uint64_t seed);

// The same for a table whose first records were judged before (`before`, as of judge_labels() or
// this): one model of each kind learns from their class posteriors and answers for the new ones,
// which teach nothing; a copy of an earlier record takes over that one's answer. Verified records
// teach, too, whether or not they did before, and are asked by halves; an earlier record that says
// the same as one of them counts as certain. Noise matrices and the power are estimated anew from
// all. What was said of the earlier records otherwise stays as it is; no training is watched, and
// without `joint` the words' linear model judges alone.
LabelEvidence judge_new_labels(const LabelTask& task, const LabelEvidence& before,
                               std::uint64_t seed);

}  // namespace athanor::distill
