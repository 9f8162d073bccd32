// Class probabilities of each record from small models that did not learn from it, for a pool in
// which nothing is trusted, or a few records beside it are.
#pragma once

#include <cstdint>
#include <vector>

#include "distill/pipeline/arm.h"
#include "distill/run/stage_store.h"

namespace athanor::distill {

// Of the CNNs: half a teacher's width, a quarter of the arithmetic, and less to memorise with.
inline const std::vector<std::int64_t> kProxyChannels = {16, 32};

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

// The pool, and behind it verified records, where there are some. Every model learns from these.
struct ProxyPool {
  Tensor inputs;                    // f32 [N + V, ...]
  Tensor labels;                    // i64 [N + V], as given
  std::vector<std::int64_t> group;  // [N]: records with equal entries are copies and share a fold
  std::vector<std::int64_t> learn;  // rows of the pool that are learnt from
  // The class that somebody vouches for, -1 = nobody does; [N + V], or empty: nobody vouches for
  // any. It is learnt in place of the label, and the record's probabilities are certain.
  std::vector<std::int64_t> truth;

  std::int64_t size() const { return std::ssize(group); }  // N
};

// Log class posteriors f32 [N, K] (label_trust.h) of records with `probabilities` [N, K] and given
// labels, under a noise matrix estimated from `rows`: softmax of them at temperature 1 is a soft
// target that knows of model and label.
Tensor posterior_logits(const Tensor& probabilities, const Tensor& labels,
                        const std::vector<std::int64_t>& rows);

// f64 [N, K]: all rows of the pool get probabilities. `stages` keeps the answers of each fold's
// model until the run is done. Throws usage for folds outside [2, N] or rounds < 1.
Tensor out_of_fold_probabilities(const nn::ModelSpec& spec, const ProxyPool& pool,
                                 const OutOfFoldOptions& options, StageStore& stages, RunLog& log,
                                 ProgressSink& progress, const StopRequest& stop);

// f64 [N - F, K]: of a pool whose first F rows have probabilities `before` f64 [F, K], those of the
// others, by a model that learned from the class posteriors of the first ones, and verified
// records. A mean of two models gave 0.003 to 0.006 more of the verdicts of a run over all.
Tensor probabilities_of_new(const nn::ModelSpec& spec, const ProxyPool& pool, const Tensor& before,
                            const OutOfFoldOptions& options, StageStore& stages, RunLog& log,
                            ProgressSink& progress, const StopRequest& stop);

}  // namespace athanor::distill
