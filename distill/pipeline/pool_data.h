// Rows of an image set as training inputs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/image_set.h"
#include "nn/models.h"
#include "tensor/random.h"
#include "tensor/tensor.h"

namespace athanor::distill {

// Mean and standard deviation of Fashion-MNIST's pixels in [0, 1].
inline constexpr double kMean = 0.2860, kStddev = 0.3530;

// 0 ... n - 1.
std::vector<std::int64_t> iota(std::int64_t n);

// "0", "1", ...: the ids of n records that have no others.
std::vector<std::string> record_numbers(std::int64_t n);

// An image classifier for the images of `set`.
nn::ModelSpec image_model_spec(const data::ImageSet& set, const std::string& model,
                               const std::vector<std::int64_t>& hidden);

// Rows of u8 images [N, H, W] or [N, C, H, W] as normalised inputs f32 [n, C, H, W].
Tensor inputs_of(const Tensor& images, const std::vector<std::int64_t>& rows);

// Normalised images [N, C, H, W], each moved by up to `most` pixels along both axes, with the
// background (pixel value 0) where nothing moves in.
Tensor shifted(const Tensor& inputs, std::int64_t most, Generator& generator);

}  // namespace athanor::distill
