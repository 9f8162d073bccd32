// What training in 16-bit numbers needs besides autocast (autograd/autocast.h): a loss scale for
// f16, and f32 masters for models whose own parameters are 16-bit.
#pragma once

#include <vector>

#include "autograd/variable.h"

namespace athanor::nn {

struct LossScalerOptions {
  double initial = 65536;  // 2^16
  double growth = 2, backoff = 0.5;
  int interval = 2000;  // steps without overflow before the scale grows
  double largest = 16777216;
  bool enabled = true;  // false: a scale of 1 that never changes, for bf16 and f32
};

// Gradients in f16 vanish below 2^-24. The loss is multiplied by a scale and the gradients divided
// by it again; a step whose gradients overflowed is skipped and the scale lowered (Micikevicius et
// al. 2018).
//
//   scaler.scale(loss).backward();
//   if (scaler.unscale(parameters)) optimizer.step(rate);
class LossScaler {
 public:
  explicit LossScaler(const LossScalerOptions& options = {});

  Variable scale(const Variable& loss) const;
  // Divides the gradients by the scale. False when one of them is not finite: the step must be
  // skipped, and the gradients are left as they are. Adapts the scale; call it once a step, before
  // clipping. On a device this waits once for one flag.
  bool unscale(std::vector<Variable>& parameters);

  double factor() const { return factor_; }
  std::int64_t skipped() const { return skipped_; }
  // For checkpoints.
  struct State {
    double factor;
    int good_steps;
    std::int64_t skipped;
  };
  State state() const { return {factor_, good_steps_, skipped_}; }
  void set_state(const State& state);

 private:
  LossScalerOptions options_;
  double factor_;
  int good_steps_ = 0;
  std::int64_t skipped_ = 0;
};

// f32 copies of 16-bit parameters, which the optimiser updates: in bf16 an update below 1/256 of a
// weight would be lost.
//
//   MasterWeights masters(model.parameters());
//   AdamW optimizer(masters.parameters());
//   loss.backward();
//   masters.take_gradients();  optimizer.step(rate);  masters.write_back();
class MasterWeights {
 public:
  explicit MasterWeights(std::vector<Variable> parameters);

  // A master for each 16-bit parameter, the parameter itself for the others.
  std::vector<Variable>& parameters() { return masters_; }
  // Moves the parameters' gradients to the masters, as f32.
  void take_gradients();
  // Rounds the masters into the parameters.
  void write_back();

 private:
  std::vector<Variable> own_, masters_;
};

}  // namespace athanor::nn
