// Post-training quantisation and quantisation-aware training of image classifiers.
//
//   CalibratedModel calibrated = calibrate(model, batches);      // ranges from some batches
//   FakeQuantizedModel trainable(calibrated);                    // QAT; optional
//   ... train it, then calibrated = trainable.calibrated(); ...
//   const QuantizedModel integer(calibrated);                    // nn/quantized_model.h
#pragma once

#include <vector>

#include "nn/layer_graph.h"
#include "nn/models.h"
#include "tensor/base/quantization.h"

namespace athanor::nn {

// How the range of an activation follows from what batches show. It always holds 0, which padding
// needs exactly.
enum class RangeMethod {
  min_max,         // the smallest and largest value of all
  moving_average,  // of each batch's smallest and largest, with `momentum`
  percentile  // the mean over batches of the values that leave (100 - `percentile`)% beyond each
              // end
};

struct CalibrationOptions {
  RangeMethod method = RangeMethod::min_max;
  double momentum = 0.1;      // weight of a new batch, in (0, 1]
  double percentile = 99.99;  // in (50, 100]
};

// The quantisation of [low, high], extended to 0, to u8 (Jacob et al. 2018, section 3.1): scale =
// (high - low) / 255, and a zero point that is a whole number. Throws unless both are finite and
// low <= high; a range of nothing gets scale 1.
Quantization range_quantization(double low, double high);

// Scales for a layer's weight (channel_scales), raised where the bias would need more than 30 bits
// in steps of input.scale scale[o]: weight [O, ...], bias [O], f32.
Tensor weight_scales(const Tensor& weight, const Tensor& bias, const Quantization& input);

// A model in real numbers with the quantisation of each activation: its layers, folded weights, and
// how the input and each layer's result are stored. outputs.back() is not used: logits are f32.
struct CalibratedModel {
  ModelSpec spec;
  LayerGraph graph;
  std::vector<LayerWeight> weights;
  Quantization input;
  std::vector<Quantization> outputs;

  // How layer `i` finds its (first) input stored.
  const Quantization& input_of(std::size_t i) const {
    const int from = graph.layers[i].inputs[0];
    return from < 0 ? input : outputs[static_cast<std::size_t>(from)];
  }
};

// Runs the batches (normalised images [N, C, H, W], f32) through the model in evaluation, without
// gradients. Throws Error(usage) for a model without a layer graph, no batches, or options out of
// their ranges.
CalibratedModel calibrate(const Classifier& model, const std::vector<Tensor>& batches,
                          const CalibrationOptions& options = {});

// The model as its integers compute it, in f32 and with gradients: weights and activations go
// through fake_quantize. Batch norms are folded with frozen statistics; parameters are the folded
// weights, named as in the file ("body.0.weight"). In training the ranges of activations follow
// those of the batches (moving average, momentum 0.01); weights' scales follow the weights.
class FakeQuantizedModel final : public Module {
 public:
  explicit FakeQuantizedModel(const CalibratedModel& calibrated);
  // x: normalised images [N, C, H, W] -> logits [N, classes]
  Variable forward(const Variable& x) override { return run(x).logits; }
  // Features as of Classifier: what the last layer reads, as stored, [N, d].
  Output run(const Variable& x);
  // Layer `i` alone: its inputs, as stored, to its result, as stored.
  Variable run_one(std::size_t i, const std::vector<Variable>& inputs);
  // With the weights and ranges of now.
  CalibratedModel calibrated() const;

 private:
  struct Ranges {
    double low, high;
  };
  Variable stored(const Variable& value, Quantization& q, Ranges& range);

  CalibratedModel calibrated_;
  std::vector<Parameter> weights_, biases_;  // by layer, undefined where it has none
  std::vector<Ranges> ranges_;               // of the input, then by layer
};

}  // namespace athanor::nn
