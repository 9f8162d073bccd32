#include "distill/pipeline/look_labels.h"

#include <algorithm>

#include "distill/pipeline/image_refine.h"
#include "distill/pipeline/pool_data.h"
#include "distill/refine/feature_values.h"

namespace athanor::distill {
namespace {

// Every verified or labelled sound record with a picture teaches.
ProxyPool pool_of(const Tensor& pictures, const LabelTask& task) {
  ProxyPool pool;
  pool.inputs = inputs_of(pictures, iota(task.size()));
  std::vector<std::int64_t> labels(task.label);
  // Rows without a label are not learned from.
  for (std::int64_t& y : labels) y = std::max<std::int64_t>(y, 0);
  pool.labels = from_values(labels, {task.size()});
  pool.group.assign(task.group.begin(), task.group.begin() + task.judged);
  for (std::int64_t i = 0; i < task.judged; ++i) {
    if (task.sound[i] && task.taught(i) >= 0) pool.learn.push_back(i);
  }
  const bool verified = std::any_of(task.truth.begin(), task.truth.end(),
                                    [](std::int64_t truth) { return truth >= 0; });
  if (verified) pool.truth = task.truth;
  return pool;
}

}  // namespace

LookJudge look_judge(std::filesystem::path out, OutOfFoldOptions options, StopRequest stop) {
  return [out = std::move(out), options, stop = std::move(stop)](
             const Tensor& pictures, const LabelTask& task, StageStore& stages,
             ProgressSink& progress) {
    data::ImageSet shapes{pictures, {}, std::vector<std::string>(task.classes)};
    nn::ModelSpec spec = image_model_spec(shapes, "cnn", {});
    spec.channels = kProxyChannels;
    std::filesystem::create_directories(out);
    RunLog log(out, stages.resumes() ? RunLog::Mode::resume : RunLog::Mode::fresh);
    try {
      const Tensor p = out_of_fold_probabilities(spec, pool_of(pictures, task), options, stages,
                                                 log, progress, stop);
      return ProbabilityTable{task.judged, task.classes, p.to_vector<double>()};
    } catch (const Interrupted&) {
      throw TableInterrupted{};
    }
  };
}

}  // namespace athanor::distill
