#include "distill/pipeline/out_of_fold.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "data/batches.h"
#include "distill/pipeline/pool_data.h"
#include "distill/pipeline/predict.h"
#include "distill/refine/label_trust.h"
#include "tensor/base/error.h"
#include "tensor/ops.h"
#include "tensor/ops/softmax.h"
#include "tensor/random.h"

namespace athanor::distill {
namespace {

// How often a verified record stands among those that a model learns from. Fashion-MNIST, 300 of
// them, effective share at retention 0.95 (standard, seeds 1 and 2; hard): without any 0.833,
// 0.897; 0.797, 0.792; once 0.862, 0.909; 0.835, 0.836; 4 times 0.888, 0.930; 0.879, 0.861; 10
// times 0.908, 0.932; 0.885, 0.866.
constexpr int kVerifiedTurns = 10;
constexpr double kLeastPosterior = 1e-6;

// The fold of each record: groups in random order, always into the smallest fold.
std::vector<std::int64_t> assign_folds(const std::vector<std::int64_t>& group, std::int64_t folds,
                                       Generator generator) {
  const auto N = static_cast<std::int64_t>(group.size());
  std::vector<std::vector<std::int64_t>> members(group.size());
  for (std::int64_t i = 0; i < N; ++i) {
    members[static_cast<std::size_t>(group[static_cast<std::size_t>(i)])].push_back(i);
  }
  std::vector<std::int64_t> fold(group.size(), 0);
  std::vector<std::size_t> size(static_cast<std::size_t>(folds), 0);
  for (std::int64_t g : random_permutation(N, generator).to_vector<std::int64_t>()) {
    const auto& rows = members[static_cast<std::size_t>(g)];
    if (rows.empty()) continue;
    const auto smallest = std::min_element(size.begin(), size.end());
    for (std::int64_t row : rows) fold[static_cast<std::size_t>(row)] = smallest - size.begin();
    *smallest += rows.size();
  }
  return fold;
}

ArmSettings proxy_settings(const OutOfFoldOptions& o, std::int64_t round, std::int64_t fold,
                           std::vector<std::int64_t> rows) {
  ArmSettings s;
  s.name = str("proxy:", round + 1, ":", fold + 1);
  s.rows = std::move(rows);
  s.batch = o.batch;
  s.steps_per_epoch = std::max<std::int64_t>(1, static_cast<std::int64_t>(s.rows.size()) / o.batch);
  s.steps = s.steps_per_epoch * o.epochs;
  s.lr = o.lr;
  s.shift = o.shift;
  s.device = o.device;
  s.precision = o.precision;
  s.seed = o.seed + 2000 + static_cast<std::uint64_t>(round * o.folds + fold);
  s.gce_q = round == 0 ? o.gce_q : 0;
  s.mix = {LabelMixKind::constant, 0, 0, 0};
  s.temperature = TemperatureSchedule(TemperatureKind::constant, {1});
  return s;
}

Tensor class_probabilities(nn::Classifier& model, const Tensor& inputs) {
  return softmax(cast(predict(model, inputs).logits, DType::f64));
}

// What `judge` answers, or answered in a run that was stopped.
template <class Judge>
Tensor answers_of(StageStore& stages, const std::string& name, Judge judge) {
  return stages.run(
      name, judge,
      [](const Tensor& p) {
        return NamedTensors{{"p", p}};
      },
      [](const NamedTensors& kept) { return kept.at("p"); });
}

// `rows` of the pool and the verified records behind it.
std::vector<std::int64_t> with_verified(std::vector<std::int64_t> rows, const ProxyPool& pool) {
  for (std::int64_t v = pool.size(); v < pool.labels.numel(); ++v) {
    rows.insert(rows.end(), kVerifiedTurns, v);
  }
  return rows;
}

// Labels, with the true class where somebody vouches for one.
Tensor taught_labels(const ProxyPool& pool) {
  Tensor labels = clone(pool.labels);
  for (std::size_t i = 0; i < pool.truth.size(); ++i) {
    if (pool.truth[i] >= 0) labels.data<std::int64_t>()[i] = pool.truth[i];
  }
  return labels;
}

// Rows of `probabilities`, which are those of the pool from `first` on, become certain where
// somebody vouches for them.
void settle(Tensor& probabilities, const ProxyPool& pool, std::int64_t first) {
  if (pool.truth.empty()) return;
  const std::int64_t classes = probabilities.size(1);
  for (std::int64_t i = 0; i < probabilities.size(0); ++i) {
    const std::int64_t truth = pool.truth[first + i];
    if (truth < 0) continue;
    double* row = probabilities.data<double>() + i * classes;
    std::fill_n(row, classes, 0.);
    row[truth] = 1;
  }
}

// Targets f32 [N + V, K] of a further round, from the probabilities of the first rows of the pool.
// Those of the verified records are certain; of a row with neither they are not to be used.
Tensor targets_of(const ProxyPool& pool, const Tensor& probabilities,
                  const std::vector<std::int64_t>& learn) {
  const std::int64_t known = probabilities.size(0), classes = probabilities.size(1);
  const Tensor logits = posterior_logits(probabilities, slice(pool.labels, 0, 0, known), learn);
  if (known == pool.labels.numel()) return logits;
  Tensor targets = zeros({pool.labels.numel(), classes});
  std::copy_n(logits.data<float>(), logits.numel(), targets.data<float>());
  for (std::int64_t v = pool.size(); v < pool.labels.numel(); ++v) {
    float* row = targets.data<float>() + v * classes;
    std::fill_n(row, classes, static_cast<float>(std::log(kLeastPosterior)));
    row[pool.truth[v]] = 0;
  }
  return targets;
}

}  // namespace

Tensor posterior_logits(const Tensor& probabilities, const Tensor& labels,
                        const std::vector<std::int64_t>& rows) {
  const ProbabilityTable table = to_probability_table(probabilities, labels.numel());
  const auto given = labels.to_vector<std::int64_t>();
  const std::vector<double> posterior =
      class_posteriors(table, given, estimate_noise_matrix(table, given, rows));
  Tensor logits = empty(probabilities.shape());
  for (std::int64_t i = 0; i < logits.numel(); ++i) {
    logits.data<float>()[i] = static_cast<float>(
        std::log(std::max(posterior[static_cast<std::size_t>(i)], kLeastPosterior)));
  }
  return logits;
}

Tensor out_of_fold_probabilities(const nn::ModelSpec& spec, const ProxyPool& pool,
                                 const OutOfFoldOptions& o, StageStore& stages, RunLog& log,
                                 ProgressSink& progress, const StopRequest& stop) {
  const std::int64_t N = pool.size();
  if (o.folds < 2 || o.folds > N) {
    raise(ErrorKind::usage, "trust.folds: expected 2 to ", N, ", got ", o.folds);
  }
  if (o.rounds < 1) raise(ErrorKind::usage, "trust.rounds: expected 1 or more, got ", o.rounds);
  const Generator root = Generator(o.seed).fork(31);
  TrainingSet set{pool.inputs, taught_labels(pool), {}};
  Tensor probabilities = empty({N, spec.classes}, DType::f64);
  for (std::int64_t round = 0; round < o.rounds; ++round) {
    const auto fold =
        assign_folds(pool.group, o.folds, root.fork(static_cast<std::uint64_t>(round)));
    for (std::int64_t k = 0; k < o.folds; ++k) {
      std::vector<std::int64_t> held, taught;
      for (std::int64_t i = 0; i < N; ++i) {
        if (fold[static_cast<std::size_t>(i)] == k) held.push_back(i);
      }
      for (std::int64_t row : pool.learn) {
        if (fold[static_cast<std::size_t>(row)] != k) taught.push_back(row);
      }
      taught = with_verified(std::move(taught), pool);
      const Tensor p = answers_of(stages, str("proxy-", round + 1, "-", k + 1), [&] {
        const ArmSettings s = proxy_settings(o, round, k, taught);
        const ArmResult proxy = train_arm(spec, set, s, log, progress, stop);
        return class_probabilities(*proxy.model, data::gather_rows(pool.inputs, held));
      });
      for (std::size_t i = 0; i < held.size(); ++i) {
        std::copy_n(p.data<double>() + static_cast<std::int64_t>(i) * spec.classes, spec.classes,
                    probabilities.data<double>() + held[i] * spec.classes);
      }
    }
    settle(probabilities, pool, 0);
    if (round + 1 == o.rounds) break;
    set.teacher_logits = targets_of(pool, probabilities, pool.learn);
  }
  return probabilities;
}

Tensor probabilities_of_new(const nn::ModelSpec& spec, const ProxyPool& pool, const Tensor& before,
                            const OutOfFoldOptions& o, StageStore& stages, RunLog& log,
                            ProgressSink& progress, const StopRequest& stop) {
  const std::int64_t first = before.size(0), N = pool.size();
  std::vector<std::int64_t> learn, fresh;
  for (const std::int64_t row : pool.learn) {
    if (row < first) learn.push_back(row);
  }
  for (std::int64_t i = first; i < N; ++i) fresh.push_back(i);
  const TrainingSet set{pool.inputs, taught_labels(pool), targets_of(pool, before, learn)};
  const Tensor inputs = data::gather_rows(pool.inputs, fresh);
  Tensor p = answers_of(stages, "proxy-new", [&] {
    // As a model of a second round, which nothing of the earlier records is kept from.
    ArmSettings s = proxy_settings(o, 1, 0, with_verified(learn, pool));
    s.name = "proxy:new";
    const ArmResult proxy = train_arm(spec, set, s, log, progress, stop);
    return class_probabilities(*proxy.model, inputs);
  });
  settle(p, pool, first);
  return p;
}

}  // namespace athanor::distill
