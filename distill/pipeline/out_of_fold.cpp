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

}  // namespace

Tensor posterior_logits(const Tensor& probabilities, const Tensor& labels,
                        const std::vector<std::int64_t>& rows) {
  const ProbabilityTable table = to_probability_table(probabilities, labels.numel());
  const auto given = labels.to_vector<std::int64_t>();
  const std::vector<double> posterior =
      class_posteriors(table, given, estimate_noise_matrix(table, given, rows));
  Tensor logits = empty(probabilities.shape());
  for (std::int64_t i = 0; i < logits.numel(); ++i) {
    logits.data<float>()[i] =
        static_cast<float>(std::log(std::max(posterior[static_cast<std::size_t>(i)], 1e-6)));
  }
  return logits;
}

Tensor out_of_fold_probabilities(const nn::ModelSpec& spec, const Tensor& inputs,
                                 const Tensor& labels, const std::vector<std::int64_t>& group,
                                 const std::vector<std::int64_t>& learn, const OutOfFoldOptions& o,
                                 StageStore& stages, RunLog& log, ProgressSink& progress,
                                 const StopRequest& stop) {
  const std::int64_t N = inputs.size(0);
  if (o.folds < 2 || o.folds > N) {
    raise(ErrorKind::usage, "trust.folds: expected 2 to ", N, ", got ", o.folds);
  }
  if (o.rounds < 1) raise(ErrorKind::usage, "trust.rounds: expected 1 or more, got ", o.rounds);
  const Generator root = Generator(o.seed).fork(31);
  TrainingSet set{inputs, labels, {}};
  Tensor probabilities = empty({N, spec.classes}, DType::f64);
  for (std::int64_t round = 0; round < o.rounds; ++round) {
    const auto fold = assign_folds(group, o.folds, root.fork(static_cast<std::uint64_t>(round)));
    for (std::int64_t k = 0; k < o.folds; ++k) {
      std::vector<std::int64_t> held, taught;
      for (std::int64_t i = 0; i < N; ++i) {
        if (fold[static_cast<std::size_t>(i)] == k) held.push_back(i);
      }
      for (std::int64_t row : learn) {
        if (fold[static_cast<std::size_t>(row)] != k) taught.push_back(row);
      }
      const auto judge = [&] {
        const ArmSettings s = proxy_settings(o, round, k, taught);
        const ArmResult proxy = train_arm(spec, set, s, log, progress, stop);
        return softmax(
            cast(predict(*proxy.model, data::gather_rows(inputs, held)).logits, DType::f64));
      };
      const Tensor p = stages.run(
          str("proxy-", round + 1, "-", k + 1), judge,
          [](const Tensor& result) {
            return NamedTensors{{"p", result}};
          },
          [](const NamedTensors& kept) { return kept.at("p"); });
      for (std::size_t i = 0; i < held.size(); ++i) {
        std::copy_n(p.data<double>() + static_cast<std::int64_t>(i) * spec.classes, spec.classes,
                    probabilities.data<double>() + held[i] * spec.classes);
      }
    }
    if (round + 1 == o.rounds) break;
    set.teacher_logits = posterior_logits(probabilities, labels, learn);
  }
  return probabilities;
}

}  // namespace athanor::distill
