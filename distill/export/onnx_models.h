// Models as ONNX graphs (opset 17), for other programs to run.
#pragma once

#include <filesystem>
#include <string>

#include "nn/bert.h"
#include "nn/models.h"

namespace athanor::distill {

// Input `images` f32 [batch, C, H, W] with pixels in [0, 1] (the normalisation is in the graph),
// outputs `logits` and `probabilities` f32 [batch, classes]. For the models mlp and cnn; throws
// usage for others. Label names are in the metadata.
std::string onnx_of_classifier(const nn::Classifier& model);

// Inputs `input_ids`, `attention_mask` (1 at tokens) and `token_type_ids` i64 [batch, length],
// outputs `last_hidden_state` f32 [batch, length, width] and `sentence_embedding` f32 [batch,
// width], the mean over the tokens (of length 1 with `normalize`).
std::string onnx_of_bert(const nn::Bert& model, bool normalize = false);

}  // namespace athanor::distill
