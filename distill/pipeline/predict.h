// What models say about many images.
#pragma once

#include "nn/models.h"
#include "nn/quantized_model.h"

namespace athanor::distill {

// Logits and features of all rows on the CPU, in evaluation mode, batch by batch, computed where
// the model is.
struct Predictions {
  Tensor logits, features;  // f32 [N, K], [N, d]
};
Predictions predict(nn::Classifier& model, const Tensor& inputs);
Predictions predict(nn::FakeQuantizedModel& model, const Tensor& inputs);

// The logits alone, of an INT8 model: normalised images [N, C, H, W] f32 -> f32 [N, K].
Tensor logits_of(const nn::QuantizedModel& model, const Tensor& inputs);

}  // namespace athanor::distill
