#include "nn/quantization.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops.h"

namespace athanor::nn {
namespace {

constexpr double kTrainingMomentum = 0.01;

struct Range {
  double low = 0, high = 0;
};

// The smallest and the largest value of x, or those that leave a part of (100 - percentile)%
// beyond.
Range range_of(const Tensor& x, const CalibrationOptions& options) {
  if (x.numel() == 0) raise(ErrorKind::usage, "calibrate: expected batches with images, got none");
  if (options.method != RangeMethod::percentile) return {amin(x).item(), amax(x).item()};
  std::vector<float> values = cast(x, DType::f32).to_vector<float>();
  const auto beyond = static_cast<std::ptrdiff_t>(static_cast<double>(values.size()) *
                                                  (100 - options.percentile) / 100);
  std::nth_element(values.begin(), values.begin() + beyond, values.end());
  const float low = values[static_cast<std::size_t>(beyond)];
  std::nth_element(values.begin(), values.end() - 1 - beyond, values.end());
  return {low, values[values.size() - 1 - static_cast<std::size_t>(beyond)]};
}

// What the ranges of the batches come to, one by one.
class Observer {
 public:
  void see(const Tensor& x, const CalibrationOptions& options) {
    const Range here = range_of(x, options);
    ++count_;
    if (count_ == 1) {
      range_ = here;
    } else if (options.method == RangeMethod::min_max) {
      range_ = {std::min(range_.low, here.low), std::max(range_.high, here.high)};
    } else {
      const double part = options.method == RangeMethod::moving_average
                              ? options.momentum
                              : 1.0 / static_cast<double>(count_);
      range_.low += part * (here.low - range_.low);
      range_.high += part * (here.high - range_.high);
    }
  }
  Quantization quantization() const { return range_quantization(range_.low, range_.high); }

 private:
  Range range_;
  std::int64_t count_ = 0;
};

void check(const CalibrationOptions& o, std::size_t batches) {
  if (batches == 0) raise(ErrorKind::usage, "calibrate: expected at least one batch, got none");
  if (!(o.momentum > 0 && o.momentum <= 1)) {
    raise(ErrorKind::usage, "calibrate: expected momentum in (0, 1], got ", o.momentum);
  }
  if (!(o.percentile > 50 && o.percentile <= 100)) {
    raise(ErrorKind::usage, "calibrate: expected percentile in (50, 100], got ", o.percentile);
  }
}

// The values that layer `i` reads: `results` by layer, `x` the model's input.
std::vector<Variable> inputs_of(const GraphLayer& layer, const Variable& x,
                                const std::vector<Variable>& results) {
  std::vector<Variable> inputs;
  for (const int from : layer.inputs) {
    inputs.push_back(from < 0 ? x : results[static_cast<std::size_t>(from)]);
  }
  return inputs;
}

bool has_weight(const GraphLayer& layer) {
  return layer.kind == LayerKind::linear || layer.kind == LayerKind::conv2d;
}

}  // namespace

Quantization range_quantization(double low, double high) {
  if (!std::isfinite(low) || !std::isfinite(high) || low > high) {
    fail("range_quantization", "expected a finite range, got [", low, ", ", high, "]");
  }
  low = std::min(low, 0.0);
  high = std::max(high, 0.0);
  const auto scale = static_cast<float>((high - low) / 255);
  if (!std::isnormal(scale)) return {};
  const double zero_point = std::nearbyint(-low / double(scale));
  return {scale, static_cast<std::int32_t>(std::clamp(zero_point, 0.0, 255.0))};
}

Tensor weight_scales(const Tensor& weight, const Tensor& bias, const Quantization& input) {
  Tensor scale = channel_scales(weight);
  const Tensor values = contiguous(bias);
  for (std::int64_t o = 0; o < scale.numel(); ++o) {
    const double least = std::abs(double(values.data<float>()[o])) / 0x1p30 / double(input.scale);
    float& own = scale.data<float>()[o];
    own = std::max(own, static_cast<float>(least));
  }
  return scale;
}

CalibratedModel calibrate(const Classifier& model, const std::vector<Tensor>& batches,
                          const CalibrationOptions& options) {
  check(options, batches.size());
  CalibratedModel result{model.spec(), layer_graph(model.spec()), {}, {}, {}};
  result.weights = folded_weights(result.graph, model.state_dict());
  const std::size_t count = result.graph.layers.size();
  Observer input;
  std::vector<Observer> outputs(count);
  const InferenceMode inference;
  for (const Tensor& batch : batches) {
    std::vector<Variable> results;
    input.see(batch, options);
    for (std::size_t i = 0; i < count; ++i) {
      const GraphLayer& layer = result.graph.layers[i];
      const LayerWeight& w = result.weights[i];
      results.push_back(run_layer(layer, inputs_of(layer, batch, results), w.weight, w.bias));
      outputs[i].see(results.back().tensor(), options);
    }
  }
  result.input = input.quantization();
  for (const Observer& output : outputs) result.outputs.push_back(output.quantization());
  return result;
}

FakeQuantizedModel::FakeQuantizedModel(const CalibratedModel& calibrated)
    : calibrated_(calibrated) {
  const auto range = [](const Quantization& q) {
    const double scale = q.scale;
    return Ranges{-scale * q.zero_point, scale * (255 - q.zero_point)};
  };
  ranges_.push_back(range(calibrated.input));
  for (std::size_t i = 0; i < calibrated.graph.layers.size(); ++i) {
    const GraphLayer& layer = calibrated.graph.layers[i];
    ranges_.push_back(range(calibrated.outputs[i]));
    weights_.emplace_back();
    biases_.emplace_back();
    if (!has_weight(layer)) continue;
    weights_.back() =
        register_parameter(layer.name + ".weight", clone(calibrated.weights[i].weight));
    biases_.back() = register_parameter(layer.name + ".bias", clone(calibrated.weights[i].bias));
  }
}

// `value` rounded to what is stored; in training its range moves first.
Variable FakeQuantizedModel::stored(const Variable& value, Quantization& q, Ranges& range) {
  if (training()) {
    const Range here = range_of(value.tensor(), {});
    range.low += kTrainingMomentum * (here.low - range.low);
    range.high += kTrainingMomentum * (here.high - range.high);
    q = range_quantization(range.low, range.high);
  }
  return fake_quantize(value, q);
}

Variable FakeQuantizedModel::run_one(std::size_t i, const std::vector<Variable>& inputs) {
  const GraphLayer& layer = calibrated_.graph.layers[i];
  Variable w, b;
  if (has_weight(layer)) {
    w = weights_[i];
    b = biases_[i];
    w = fake_quantize_per_channel(w,
                                  weight_scales(w.tensor(), b.tensor(), calibrated_.input_of(i)));
  }
  const Variable y = run_layer(layer, inputs, w, b);
  if (i + 1 == calibrated_.graph.layers.size()) return y;
  return stored(y, calibrated_.outputs[i], ranges_[i + 1]);
}

Output FakeQuantizedModel::run(const Variable& x) {
  const Variable input = stored(x, calibrated_.input, ranges_[0]);
  std::vector<Variable> results, inputs;
  for (std::size_t i = 0; i < calibrated_.graph.layers.size(); ++i) {
    inputs = inputs_of(calibrated_.graph.layers[i], input, results);
    results.push_back(run_one(i, inputs));
  }
  return {results.back(), flatten(inputs[0])};
}

CalibratedModel FakeQuantizedModel::calibrated() const {
  CalibratedModel now = calibrated_;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    if (!has_weight(now.graph.layers[i])) continue;
    now.weights[i] = {clone(weights_[i].get().tensor()), clone(biases_[i].get().tensor())};
  }
  return now;
}

}  // namespace athanor::nn
