// The training loop: forward, backward, clip, step, look at the validation split now and then.
//
// A training can be saved after any step and resumed: it then makes the same bits as without the
// interruption, provided that the loss depends on its arguments, on the module and on the module's
// generators alone (data::BatchOrder gives the batch of a step).
#pragma once

#include <filesystem>
#include <functional>
#include <optional>

#include "nn/early_stopping.h"
#include "nn/optim.h"
#include "nn/schedule.h"

namespace athanor::nn {

struct TrainerOptions {
  Schedule schedule;            // of schedule.total steps
  std::int64_t accumulate = 1;  // parts of a step, whose gradients are averaged
  double clip_norm = 0;         // > 0: limit of the gradients' common norm
  double clip_value = 0;        // > 0: limit of each element
  double average = 0;           // > 0: decay of the parameters' average, which is then evaluated
  std::int64_t evaluate_every = 0;  // steps; 0: never
  std::optional<EarlyStopping::Options> early_stopping = std::nullopt;
  std::int64_t max_skipped = 20;  // steps in a row without a finite gradient before giving up
};

struct TrainerStep {
  std::int64_t step = 0;  // from 0
  double loss = 0;        // mean over the parts
  double rate = 0;
  double gradient_norm = 0;  // before clipping
  bool skipped = false;      // the gradient was not finite: nothing was written
  std::optional<double> evaluation = std::nullopt;
};

class Trainer {
 public:
  // Loss of part `part` of step `step`, with a gradient.
  using Loss = std::function<Variable(std::int64_t step, std::int64_t part)>;
  // A measure of the module in evaluation mode, without gradients.
  using Evaluation = std::function<double()>;
  // Called after every step; false ends the training.
  using Observer = std::function<bool(const TrainerStep&)>;

  // Both must live as long as the trainer; the optimiser's parameters are the module's.
  Trainer(Module& module, Optimizer& optimizer, const TrainerOptions& options);

  // Goes on to the end of the schedule, or until early stopping or the observer ends it. The
  // module is then in evaluation mode and has the best weights, if early stopping was asked for,
  // else the averaged ones, if these were, else the last. Throws Error(diverged) when max_skipped
  // steps in a row had no finite gradient.
  void run(const Loss& loss, const Evaluation& evaluate = {}, const Observer& observe = {});
  // One step of it.
  TrainerStep step(const Loss& loss, const Evaluation& evaluate = {});

  std::int64_t steps_done() const { return step_; }
  // The best reading of the evaluation; NaN without one.
  double best() const { return early_stopping_ ? early_stopping_->best() : best_; }

  // Everything that a later run needs, in one safetensors file, written atomically.
  void save(const std::filesystem::path& path) const;
  // Throws Error(bad_input) for a file of another module, optimiser or options.
  void load(const std::filesystem::path& path);

 private:
  double evaluate_now(const Evaluation& evaluate);
  void finish();

  Module& module_;
  Optimizer& optimizer_;
  TrainerOptions options_;
  std::int64_t step_ = 0, skipped_ = 0;
  double best_;
  std::optional<EarlyStopping> early_stopping_;
  std::optional<ParameterAverage> average_;
};

}  // namespace athanor::nn
