// One arm of a run: a student trained in one way on (some of) the pool. The baselines and the
// three-stage student are arms that differ in their settings alone.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "distill/control/clip_link.h"
#include "distill/control/compensation.h"
#include "distill/control/error_bound.h"
#include "distill/control/label_mix.h"
#include "distill/control/sampling.h"
#include "distill/control/temperature.h"
#include "distill/run/progress.h"
#include "distill/run/run_log.h"
#include "nn/models.h"
#include "nn/quantization.h"
#include "nn/schedule.h"

namespace athanor::distill {

// Records to learn from; rows of all tensors belong together.
struct TrainingSet {
  Tensor inputs;          // f32 [N, C, H, W], normalised
  Tensor labels;          // i64 [N], as given
  Tensor teacher_logits;  // f32 [N, K], or undefined for no teacher
};

// Returns [B, B] relation targets of the given rows.
using RelationTargets = std::function<Tensor(const std::vector<std::int64_t>&)>;

struct ControlSettings {
  ErrorBoundOptions bound;
  DualAscentOptions dual;
  std::optional<ClipLinkOptions> clip;
  std::optional<CompensationOptions> compensation;
  bool use_bound = true;
  Tensor probe_inputs, probe_labels, probe_teacher;  // a fixed probe; teacher probabilities
};

struct ArmSettings {
  std::string name;
  std::vector<std::int64_t> rows;  // the part of the set that is used
  std::int64_t steps = 0;
  std::int64_t batch = 128;
  std::int64_t steps_per_epoch = 47;
  double lr = 2e-3;
  nn::ScheduleKind schedule = nn::ScheduleKind::one_cycle;
  std::uint64_t seed = 0;
  // L = sum of w_i CE + (1 - w_i) T^2 KL; without teacher logits the hard labels alone.
  LabelMixOptions mix;
  std::vector<float> trust;  // by row of the set; empty = 1 everywhere
  double gce_q = 0;          // > 0: generalised cross-entropy instead of CE
  double kd_weight = 1;
  std::string distance = "kl";  // what KL is replaced by: losses/guidance.h
  std::int64_t kd_every = 1;    // steps between guided ones; 1 while the compensation asks for it
  std::int64_t shift = 0;       // pixels: each image is moved by up to so many, background follows
  TemperatureSchedule temperature{TemperatureKind::constant, {4}};
  double relation_weight = 0;
  RelationTargets relations;
  std::optional<SamplingOptions> curriculum;
  SamplingPools pools;
  std::optional<ControlSettings> control;
  Device device;  // where the model trains; the set stays on the CPU, batches go there
  DType precision = DType::f32;  // or bf16, f16: see autograd/autocast.h
};

struct ArmResult {
  std::shared_ptr<nn::Classifier> model;  // of train_arm
  std::int64_t steps = 0;
  double seconds = 0;
  double final_loss = 0;
  std::optional<DualReport> bound;
  double epsilon_final = 0;
  ClipReport clip;
  CompensationReport compensation;
};

// Asked before every step; returns true to stop the run, which then throws Interrupted.
using StopRequest = std::function<bool()>;
struct Interrupted {};

// Trains a new model of `spec`, which is on the CPU afterwards. Throws Error(diverged) when 20
// steps in a row have no finite gradient.
ArmResult train_arm(const nn::ModelSpec& spec, const TrainingSet& set, const ArmSettings& settings,
                    RunLog& log, ProgressSink& progress, const StopRequest& stop);

// The same for a model that has learnt already and goes on with 8-bit rounding, in the place of a
// new one.
ArmResult fine_tune_arm(nn::FakeQuantizedModel& model, const TrainingSet& set,
                        const ArmSettings& settings, RunLog& log, ProgressSink& progress,
                        const StopRequest& stop);

}  // namespace athanor::distill
