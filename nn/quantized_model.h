// INT8 inference: an image classifier in integers, and its file.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "nn/quantization.h"
#include "tensor/ops/quantized.h"

namespace athanor::nn {

// A layer's weight as it is stored: weight i8 [O, ...] in the order of the f32 model, scale f32
// [O], bias f32 [O]; undefined for layers without one.
struct StoredWeight {
  Tensor weight, scale, bias;
};

// An image classifier whose activations are u8, weights i8 and sums i32 from the quantised input to
// the logits, residual sums and global pooling included. On the CPU. Immutable; forward() is safe
// on several threads at once.
class QuantizedModel {
 public:
  // Quantises the weights, by output channel (weight_scales), and packs them.
  explicit QuantizedModel(const CalibratedModel& calibrated);
  // From weights as stored: `outputs` says how each layer's result is stored. Throws when a shape
  // does not fit.
  QuantizedModel(const ModelSpec& spec, std::vector<StoredWeight> weights,
                 const Quantization& input, std::vector<Quantization> outputs);

  const ModelSpec& spec() const { return spec_; }
  const LayerGraph& graph() const { return graph_; }
  const std::vector<StoredWeight>& weights() const { return weights_; }
  const Quantization& input() const { return input_; }
  const std::vector<Quantization>& outputs() const { return outputs_; }
  // Of weights, scales and biases as stored.
  std::int64_t weight_bytes() const;

  // Normalised images [N, C, H, W] f32 -> logits [N, classes] f32. Throws for another shape.
  Tensor forward(const Tensor& x) const;
  // The input as stored: u8.
  Tensor quantized_input(const Tensor& x) const;
  // Layer `i` alone: inputs u8 in the layer's order -> its result, u8, or f32 of the last layer.
  Tensor run_one(std::size_t i, const std::vector<Tensor>& inputs) const;

 private:
  void pack();

  ModelSpec spec_;
  LayerGraph graph_;
  std::vector<StoredWeight> weights_;
  Quantization input_;
  std::vector<Quantization> outputs_;
  std::vector<std::optional<QuantizedWeight>> packed_;  // by layer
  std::vector<std::size_t> last_use_;                   // of each layer's result: a layer
};

// One safetensors file, written atomically: for each layer X with a weight X.weight I8,
// X.weight_scale F32 [O], X.weight_zero_point I32 (0), X.bias F32 [O], X.input_scale F32 and
// X.input_zero_point I32; X.output_scale and X.output_zero_point for every layer but the last. The
// spec is in the metadata.
void save_quantized(const std::filesystem::path& path, const QuantizedModel& model);
// Whether the file is one of these, by its metadata. Throws Error(bad_input) for one that is no
// safetensors.
bool is_quantized_file(const std::filesystem::path& path);
// Throws Error(bad_input), with the file's name, for a file of another kind or a newer version, and
// for tensors that are missing, or of another shape or dtype than the spec asks for.
QuantizedModel load_quantized(const std::filesystem::path& path);

}  // namespace athanor::nn
