// A small linear model on hashed tokens and embeddings, trained in k folds, so that every record is
// judged by models that did not learn from it: what features 4, 10 and 11 need.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "distill/refine/label_trust.h"
#include "distill/refine/token_rows.h"

namespace athanor::distill {

struct ClassifierOptions {
  int folds = 5;
  int epochs = 8;
  double rate = .1;  // AdaGrad's; with embeddings it falls to 0 over the epochs
  double decay = 1e-5;
  // Generalised cross-entropy (Zhang & Sabuncu 2018), (1 - p_y^q) / q: a wrong label pulls less.
  // 0 = cross-entropy. Where targets are given it is not used: they hold the doubt themselves.
  double robust = .7;
  std::uint64_t seed = 0;
};

// What the model sees of the records.
struct ClassifierInputs {
  const TokenRows& tokens;
  Tensor embeddings = {};  // f32 [N, d] beside the tokens, or undefined
};

struct OutOfFold {
  ProbabilityTable p;                          // of the models that did not see the record's group
  std::vector<std::int64_t> forgetting;        // events: right in one epoch, wrong in the next
  std::int64_t presentations = 0;              // that events can be counted between, plus one
  std::vector<float> confidence, variability;  // mean and deviation of p_y over the presentations
  double accuracy = 0;  // of the most probable class, against the labels given
};

// `label` in [0, classes), negative = unlabelled (predicted, not learned from). `targets` [N,
// classes], where given, are learned instead of the labels; an unknown row teaches nothing.
// `weight` >= 0 scales what a record teaches, 0 leaves it out; empty = 1 each. Records of one
// `group` (copies of each other) share a fold. Softmax regression with AdaGrad on 1/sqrt(n)-scaled
// tokens times their idf, and on unit embeddings. Folds run in parallel; the result does not depend
// on the threads.
OutOfFold out_of_fold(const ClassifierInputs& inputs, std::span<const std::int64_t> label,
                      std::int64_t classes, std::span<const std::int64_t> group,
                      std::span<const float> weight = {}, const ProbabilityTable* targets = nullptr,
                      const ClassifierOptions& options = {});

// One such model, which learns from all labelled records of positive `weight`: its class
// probabilities of `rows`, into those rows of `out` [N, classes].
void judge_by_one_model(const ClassifierInputs& inputs, std::span<const std::int64_t> label,
                        std::span<const float> weight, std::span<const std::int64_t> rows,
                        const ClassifierOptions& options, ProbabilityTable& out);

}  // namespace athanor::distill
