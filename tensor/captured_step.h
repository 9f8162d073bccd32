// A step that a device records once and then repeats with one call (CUDA graphs): for small models,
// whose steps are mostly the time to start kernels.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "tensor/tensor.h"

namespace athanor {

struct CapturedStepOptions {
  int warm_up = 2;      // runs without recording, for each set of input shapes
  int most_graphs = 8;  // kept; the least recently used goes
  // Compares each replay with a run of the step, bit by bit, and throws at a difference: finds
  // steps that depend on more than their inputs. Slow.
  bool verify = false;
};

// Calls `step(inputs)`, and from a few calls on replays what its kernels did, for inputs of the
// same shapes, dtypes, strides and device. For forward and backward passes: random draws and
// optimiser steps inside are errors (a replay would repeat the same numbers), and so is reading a
// value.
//
//   CapturedStep step([&](const std::vector<Tensor>& x) {
//     const Variable loss = cross_entropy(model(Variable(x[0])), x[1]);
//     std::vector<Tensor> results{loss.tensor()};
//     for (const Variable& g : grad({loss}, model.parameters())) results.push_back(g.tensor());
//     return results;
//   });
//
// The results are overwritten by the next call with equal shapes. Tensors that the step reads
// besides its inputs must stay where they are as long as it lives; their values may change. No
// other thread may use the device during the call that records. On the CPU every call runs the
// step.
class CapturedStep {
 public:
  using Step = std::function<std::vector<Tensor>(const std::vector<Tensor>& inputs)>;

  explicit CapturedStep(Step step, const CapturedStepOptions& options = {});
  ~CapturedStep();
  CapturedStep(const CapturedStep&) = delete;
  CapturedStep& operator=(const CapturedStep&) = delete;

  std::vector<Tensor> operator()(const std::vector<Tensor>& inputs);

  // How calls were served.
  struct Counters {
    std::int64_t runs = 0;      // of the step, recordings included
    std::int64_t captures = 0;  // recordings
    std::int64_t replays = 0;
  };
  const Counters& counters() const { return counters_; }

 private:
  struct Entry;
  Entry& entry_for(const std::vector<Tensor>& inputs);
  std::vector<Tensor> run(const std::vector<Tensor>& inputs);
  void capture(Entry& entry);
  void verify(const Entry& entry);

  Step step_;
  CapturedStepOptions options_;
  Counters counters_;
  std::vector<std::unique_ptr<Entry>> entries_;  // the most recently used first
};

}  // namespace athanor
