// Random changes of training images that keep their labels, or mix them.
#pragma once

#include <cstdint>

#include "tensor/random.h"
#include "tensor/tensor.h"

namespace athanor::data {

struct AugmentOptions {
  std::int64_t crop_padding = 0;  // > 0: moved by up to so many pixels, black comes in
  bool flip = false;              // mirrored left to right with probability 1/2
  // RandAugment (Cubuk et al. 2020): so many operations on each image, drawn from identity, shear
  // and translation along both axes, rotation, brightness, contrast, sharpness, posterise,
  // solarise, auto-contrast, equalise; 0 = none.
  std::int64_t operations = 0;
  double magnitude = 0.3;  // strength in [0, 1]
  double erase = 0;        // probability of a random grey rectangle (Zhong et al. 2020)
};

// u8 [N, C, H, W] -> the same shape, row-major. What happens to image i depends on the generator's
// state and i alone, so the result does not depend on threads. Advances the generator.
Tensor augment(const Tensor& images, const AugmentOptions& options, Generator& generator);

// Two images of a batch become one, with the same share of their labels.
struct MixedBatch {
  Tensor images;   // f32 [N, C, H, W]
  Tensor targets;  // f32 [N, classes], rows sum to 1
};

// mixup (Zhang et al. 2018): share ~ Beta(alpha, alpha) for the batch, partners by a permutation.
// images f32 [N, C, H, W], labels i64 [N].
MixedBatch mixup(const Tensor& images, const Tensor& labels, std::int64_t classes, double alpha,
                 Generator& generator);
// CutMix (Yun et al. 2019): a rectangle of the partner's image, labels by its area.
MixedBatch cutmix(const Tensor& images, const Tensor& labels, std::int64_t classes, double alpha,
                  Generator& generator);

}  // namespace athanor::data
