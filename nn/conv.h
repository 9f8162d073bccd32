// Convolutions of signals, and transposed ones. Conv2d stands in layers.h; depthwise and grouped
// convolutions are `groups` of the options.
#pragma once

#include "autograd/ops/conv1d.h"
#include "autograd/ops/conv_transpose2d.h"
#include "nn/module.h"

namespace athanor::nn {

// [N, in, L] -> [N, out, L'], see autograd/ops/conv1d.h
class Conv1d final : public Module {
 public:
  Conv1d(std::int64_t in, std::int64_t out, std::int64_t kernel, Generator& generator,
         const Conv1dOptions& options = {}, bool bias = true);
  Variable forward(const Variable& x) override;

 private:
  Conv1dOptions options_;
  Parameter weight_, bias_;  // [out, in / groups, kernel], [out]
};

// [N, in, H, W] -> [N, out, H', W'], see autograd/ops/conv_transpose2d.h. Weight
// [in, out / groups, kernel, kernel].
class ConvTranspose2d final : public Module {
 public:
  ConvTranspose2d(std::int64_t in, std::int64_t out, std::int64_t kernel, Generator& generator,
                  const ConvTranspose2dOptions& options = {}, bool bias = true);
  Variable forward(const Variable& x) override;

 private:
  ConvTranspose2dOptions options_;
  Parameter weight_, bias_;
};

}  // namespace athanor::nn
