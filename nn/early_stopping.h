// What training keeps besides the weights of the last step: the best ones, and their average.
#pragma once

#include <limits>

#include "nn/module.h"

namespace athanor::nn {

// Watches a measure of a validation split, keeps the state of the best reading and says when to
// stop.
class EarlyStopping {
 public:
  struct Options {
    std::int64_t patience = 10;  // readings without improvement before it says stop
    double threshold = 0;        // an improvement is larger than this
    bool maximize = true;        // larger readings are better
  };
  explicit EarlyStopping(const Options& options) : options_(options) {}

  // Takes a reading of the module; true when it is the best so far (its state is copied then).
  // NaN is never an improvement.
  bool observe(double reading, const Module& module);
  bool should_stop() const { return waited_ >= options_.patience; }
  double best() const { return best_; }
  // Puts the best state into the module. Throws before the first reading.
  void restore(Module& module) const;

  // For checkpoints of training.
  const StateDict& best_state() const { return state_; }
  std::int64_t waited() const { return waited_; }
  void resume(double best, std::int64_t waited, StateDict state);

 private:
  Options options_;
  double best_ = std::numeric_limits<double>::quiet_NaN();
  std::int64_t waited_ = 0;
  StateDict state_;
};

// The exponential moving average of a module's parameters: average = decay average + (1 - decay) p,
// with decay limited to (1 + t) / (10 + t) at update t, so that the start is forgotten. Buffers are
// those of the last update.
class ParameterAverage {
 public:
  ParameterAverage(const Module& module, double decay);
  void update(const Module& module);
  // Parameters and buffers; load_state_dict() puts them into a module.
  const StateDict& state() const { return state_; }
  std::int64_t updates() const { return updates_; }
  void resume(std::int64_t updates, const StateDict& state);

 private:
  double decay_;
  std::int64_t updates_ = 0;
  StateDict state_;
};

}  // namespace athanor::nn
