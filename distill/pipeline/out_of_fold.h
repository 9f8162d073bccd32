// Class probabilities of each record from small models that did not learn from it, for a pool in
// which nothing is trusted.
#pragma once

#include <cstdint>
#include <vector>

#include "distill/pipeline/arm.h"
#include "distill/run/stage_store.h"

namespace athanor::distill {

struct OutOfFoldOptions {
  std::int64_t folds = 5;
  // 1: proxies learn the labels given; each further round learns the class posteriors that the
  // last round's probabilities and labels give.
  std::int64_t rounds = 2;
  std::int64_t epochs = 6;
  double gce_q = 0.6;  // generalised cross-entropy of the first round (Zhang & Sabuncu 2018)
  std::int64_t shift = 1;
  std::int64_t batch = 128;
  double lr = 2e-3;
  std::uint64_t seed = 0;
  Device device;
  DType precision = DType::f32;
};

// Log class posteriors f32 [N, K] (label_trust.h) of records with `probabilities` [N, K] and given
// labels, under a noise matrix estimated from `rows`: softmax of them at temperature 1 is a soft
// target that knows of model and label.
Tensor posterior_logits(const Tensor& probabilities, const Tensor& labels,
                        const std::vector<std::int64_t>& rows);

// f64 [N, K]. `group`: records with equal entries are copies and share a fold. Only `learn` rows
// are learnt from; all rows get probabilities. `stages` keeps the answers of each fold's model
// until the run is done. Throws usage for folds outside [2, N] or rounds < 1.
Tensor out_of_fold_probabilities(const nn::ModelSpec& spec, const Tensor& inputs,
                                 const Tensor& labels, const std::vector<std::int64_t>& group,
                                 const std::vector<std::int64_t>& learn,
                                 const OutOfFoldOptions& options, StageStore& stages, RunLog& log,
                                 ProgressSink& progress, const StopRequest& stop);

}  // namespace athanor::distill
