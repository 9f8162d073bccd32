// Convolutions of signals, and transposed ones. Conv2d stands in layers.h; depthwise and grouped
// convolutions are `groups` of the options.
#pragma once

#include "nn/module.h"
#include "tensor/ops/conv2d.h"

namespace athanor::nn {

struct Conv1dOptions {
  std::int64_t stride = 1, padding = 0, dilation = 1, groups = 1;
};

// [N, in, L] -> [N, out, L'], L' = (L + 2 padding - dilation (kernel - 1) - 1) / stride + 1
class Conv1d final : public Module {
 public:
  Conv1d(std::int64_t in, std::int64_t out, std::int64_t kernel, Generator& generator,
         const Conv1dOptions& options = {}, bool bias = true);
  Variable forward(const Variable& x) override;

 private:
  Conv1dOptions options_;
  Parameter weight_, bias_;  // [out, in / groups, kernel], [out]
};

struct ConvTranspose2dOptions {
  Size2 stride = 1;
  Size2 padding = 0;
  Size2 output_padding = 0;  // < stride; rows and columns added at the end
  Size2 dilation = 1;
  std::int64_t groups = 1;
};

// The gradient of a convolution as a layer: [N, in, H, W] -> [N, out, H', W'],
// H' = (H - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1. Weight
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
