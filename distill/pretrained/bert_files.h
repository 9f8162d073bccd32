// BERT checkpoints as Hugging Face stores them: config.json and safetensors.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nn/bert.h"
#include "tensor/io/limits.h"

namespace athanor::distill {

// A config.json of model_type "bert". Throws bad_input naming file and field for another
// architecture, an activation other than gelu, positions that are not absolute, and sizes that make
// no model.
nn::BertConfig parse_bert_config(std::span<const std::byte> bytes, std::string_view file,
                                 const Limits& limits = {});

struct LoadedBert {
  std::shared_ptr<nn::Bert> model;      // f32, in evaluation mode
  std::vector<std::string> unexpected;  // tensors of the file that the model has no place for
};

// From a folder with config.json and model.safetensors (or its only .safetensors file, such as
// model_f16.safetensors). f16, bf16 and f64 weights are converted to f32; a prefix "bert." that
// every name has is dropped; the pooler may be absent. Missing tensors are bad_input with the
// whole list. `dropout` in [0, 1) stands in for config.json's hidden_dropout_prob.
LoadedBert load_bert(const std::filesystem::path& directory, std::optional<double> dropout = {},
                     const Limits& limits = {});

}  // namespace athanor::distill
