#include "nn/quantized_model.h"

#include "tensor/ops.h"

namespace athanor::nn {
namespace {

// The weight of a linear layer behind a convolution, whose result lies in N, H, W, C order: its
// columns [C, H, W] in the order [H, W, C].
Tensor by_pixels(const Tensor& weight, const Shape& image) {
  const std::int64_t O = weight.size(0);
  const Tensor split = reshape(weight, {O, image[0], image[1], image[2]});
  return reshape(contiguous(permute(split, {0, 2, 3, 1})), {O, weight.size(1)});
}

}  // namespace

QuantizedModel::QuantizedModel(const CalibratedModel& calibrated)
    : spec_(calibrated.spec),
      graph_(calibrated.graph),
      input_(calibrated.input),
      outputs_(calibrated.outputs) {
  for (std::size_t i = 0; i < graph_.layers.size(); ++i) {
    const LayerWeight& real = calibrated.weights[i];
    StoredWeight stored;
    if (real.weight.defined()) {
      stored.scale = weight_scales(real.weight, real.bias, calibrated.input_of(i));
      stored.weight = quantize_per_channel(real.weight, stored.scale);
      stored.bias = clone(real.bias);
    }
    weights_.push_back(stored);
  }
  pack();
}

QuantizedModel::QuantizedModel(const ModelSpec& spec, std::vector<StoredWeight> weights,
                               const Quantization& input, std::vector<Quantization> outputs)
    : spec_(spec),
      graph_(layer_graph(spec)),
      weights_(std::move(weights)),
      input_(input),
      outputs_(std::move(outputs)) {
  const std::size_t count = graph_.layers.size();
  if (weights_.size() != count || outputs_.size() != count) {
    fail("QuantizedModel", "expected ", count, " weights and outputs, got ", weights_.size(),
         " and ", outputs_.size());
  }
  pack();
}

void QuantizedModel::pack() {
  last_use_.resize(graph_.layers.size());
  for (std::size_t i = 0; i < graph_.layers.size(); ++i) {
    const GraphLayer& layer = graph_.layers[i];
    last_use_[i] = i;
    for (const int from : layer.inputs) {
      if (from >= 0) last_use_[static_cast<std::size_t>(from)] = i;
    }
    packed_.emplace_back();
    if (layer.kind != LayerKind::linear && layer.kind != LayerKind::conv2d) continue;
    const StoredWeight& stored = weights_[i];
    const int from = layer.inputs[0];
    const Quantization& q = from < 0 ? input_ : outputs_[static_cast<std::size_t>(from)];
    const bool reorder = from >= 0 && !layer.flattened.empty();
    packed_.back().emplace(reorder ? by_pixels(stored.weight, layer.flattened) : stored.weight,
                           stored.scale, stored.bias, q, layer.conv);
  }
}

std::int64_t QuantizedModel::weight_bytes() const {
  std::int64_t bytes = 0;
  for (const StoredWeight& w : weights_) {
    if (w.weight.defined()) bytes += w.weight.numel() + 4 * (w.scale.numel() + w.bias.numel());
  }
  return bytes;
}

Tensor QuantizedModel::quantized_input(const Tensor& x) const {
  const Shape& expected = spec_.input;
  if (x.rank() != 4 || x.size(1) != expected[0] || x.size(2) != expected[1] ||
      x.size(3) != expected[2]) {
    fail("QuantizedModel", "expected images [N, ", expected[0], ", ", expected[1], ", ",
         expected[2], "] f32, got ", describe(x));
  }
  return quantize(x, input_);
}

Tensor QuantizedModel::run_one(std::size_t i, const std::vector<Tensor>& inputs) const {
  const GraphLayer& layer = graph_.layers[i];
  const auto stored = [&](std::size_t input) -> const Quantization& {
    const int from = layer.inputs[input];
    return from < 0 ? input_ : outputs_[static_cast<std::size_t>(from)];
  };
  QuantizedOutput output{outputs_[i], layer.relu};
  if (i + 1 == graph_.layers.size()) output.quantization.reset();
  const Tensor& x = inputs[0];
  switch (layer.kind) {
    case LayerKind::linear: {
      Tensor rows = x;
      if (!layer.flattened.empty()) {
        const Tensor ordered = layer.inputs[0] < 0 ? x : permute(x, {0, 2, 3, 1});
        rows = reshape(ordered, {x.size(0), numel_of(layer.flattened)});
      }
      return quantized_linear(rows, *packed_[i], output);
    }
    case LayerKind::conv2d:
      return layer.pool ? quantized_conv2d_max_pool2d(x, *packed_[i], output)
                        : quantized_conv2d(x, *packed_[i], output);
    case LayerKind::add:
      return quantized_add(x, stored(0), inputs[1], stored(1), outputs_[i], layer.relu);
    case LayerKind::global_avg_pool2d:
      return quantized_global_avg_pool2d(x, stored(0), outputs_[i]);
  }
  fail("QuantizedModel", "expected a kind of layer, got ", static_cast<int>(layer.kind));
}

Tensor QuantizedModel::forward(const Tensor& x) const {
  const Tensor input = quantized_input(x);
  std::vector<Tensor> results(graph_.layers.size());
  for (std::size_t i = 0; i < results.size(); ++i) {
    std::vector<Tensor> inputs;
    for (const int from : graph_.layers[i].inputs) {
      inputs.push_back(from < 0 ? input : results[static_cast<std::size_t>(from)]);
    }
    results[i] = run_one(i, inputs);
    inputs.clear();
    for (const int from : graph_.layers[i].inputs) {
      if (from < 0) continue;
      const auto at = static_cast<std::size_t>(from);
      if (last_use_[at] == i) results[at] = Tensor();
    }
  }
  return results.back();
}

}  // namespace athanor::nn
