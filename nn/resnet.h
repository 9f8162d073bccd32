// Residual networks for images (He et al. 2016).
#pragma once

#include <memory>
#include <vector>

#include "nn/layers.h"

namespace athanor::nn {

struct ResNetOptions {
  std::int64_t in = 3;
  std::vector<std::int64_t> blocks = {3, 3, 3};     // of each stage
  std::vector<std::int64_t> widths = {16, 32, 64};  // of each stage; stages after the first halve
  bool large_stem = false;  // 7x7 by 2 and max-pool instead of 3x3: for images of 224 pixels
};

// The depths 8, 20, 32, 44, 56, 110 of He et al. for small images (6n + 2 layers), or 18 with the
// widths 64 to 512. Throws Error(usage) for another depth.
ResNetOptions resnet_options(std::int64_t depth, std::int64_t in);

// All but the last layer: [N, in, H, W] -> [N, widths.back()]. Names are torchvision's ("conv1",
// "bn1", "layer1.0.conv1", "layer2.0.downsample.0").
class ResNet final : public Module {
 public:
  ResNet(const ResNetOptions& options, Generator& generator);
  Variable forward(const Variable& x) override;

 private:
  bool large_stem_;
  std::shared_ptr<Conv2d> stem_;
  std::shared_ptr<BatchNorm2d> norm_;
  std::vector<std::shared_ptr<Module>> blocks_;
};

}  // namespace athanor::nn
