#include "distill/pipeline/int8_summary.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include "distill/pipeline/predict.h"
#include "distill/pipeline/summary.h"
#include "nn/metrics.h"
#include "tensor/ops.h"

namespace athanor::distill {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kComparedImages = 500;  // layer by layer
constexpr std::int64_t kTimedBatch = 256;
constexpr int kRepeats = 15;

double share_equal(const Tensor& a, const Tensor& b) {
  return mean(cast(equal(a, b), DType::f64)).item();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + std::ssize(values) / 2, values.end());
  return values[values.size() / 2];
}

template <class F>
double milliseconds(F&& body) {
  const auto begun = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun)
      .count();
}

Tensor first_rows(const Tensor& x, std::int64_t count) {
  return contiguous(slice(x, 0, 0, std::min(count, x.size(0))));
}

}  // namespace

Json int8_summary(nn::Classifier& student, const QuantizedStudent& quantized, const Tensor& inputs,
                  const Tensor& labels) {
  const Tensor real = nn::predicted_classes(predict(student, inputs).logits);
  const auto scores = [&](const nn::QuantizedModel& model) {
    const Tensor logits = logits_of(model, inputs);
    Json result = score_logits(logits, labels);
    result["agreement_f32"] = share_equal(nn::predicted_classes(logits), real);
    return std::pair(result, nn::predicted_classes(logits));
  };
  auto [int8, classes] = scores(*quantized.integer);
  int8["agreement"] =
      share_equal(classes, nn::predicted_classes(predict(*quantized.rounded, inputs).logits));
  int8["layers"] =
      layer_steps(*quantized.rounded, *quantized.integer, first_rows(inputs, kComparedImages));
  double most = 0;
  for (const Json& layer : int8["layers"]) most = std::max(most, layer["max_steps"].get<double>());
  int8["max_steps"] = most;
  int8["records"] = quantized.calibration_records;
  if (quantized.calibrated != quantized.integer) {
    int8["ptq"] = scores(*quantized.calibrated).first;
    int8["ptq"].erase("confusion");
  }
  return int8;
}

Json layer_steps(nn::FakeQuantizedModel& rounded, const nn::QuantizedModel& integer,
                 const Tensor& inputs) {
  const InferenceMode inference;
  const std::vector<nn::GraphLayer>& layers = integer.graph().layers;
  const Tensor stored = integer.quantized_input(inputs);
  std::vector<Tensor> results;
  Json report = nlohmann::json::array();
  for (std::size_t i = 0; i + 1 < layers.size(); ++i) {
    std::vector<Tensor> bytes;
    std::vector<Variable> real;
    for (const int from : layers[i].inputs) {
      const auto at = static_cast<std::size_t>(from);
      bytes.push_back(from < 0 ? stored : results[at]);
      real.emplace_back(
          dequantize(bytes.back(), from < 0 ? integer.input() : integer.outputs()[at]));
    }
    results.push_back(integer.run_one(i, bytes));
    const Tensor expected = quantize(rounded.run_one(i, real).tensor(), integer.outputs()[i]);
    const Tensor steps = abs(sub(cast(results.back(), DType::f32), cast(expected, DType::f32)));
    report.push_back({{"name", layers[i].name},
                      {"max_steps", amax(steps).item()},
                      {"off_share", mean(cast(greater(steps, full({}, 0.0)), DType::f64)).item()}});
  }
  return report;
}

Json inference_times(nn::Classifier& teacher, nn::Classifier& student,
                     const nn::QuantizedModel* integer, const Tensor& inputs) {
  const InferenceMode inference;
  teacher.eval();
  student.eval();
  const Tensor x = first_rows(inputs, kTimedBatch);
  std::array<std::vector<double>, 3> times;
  for (int i = -2; i < kRepeats; ++i) {  // the first two warm caches up
    const std::array<double, 3> took = {milliseconds([&] { teacher.forward(x); }),
                                        milliseconds([&] { student.forward(x); }),
                                        integer ? milliseconds([&] { integer->forward(x); }) : 0};
    for (std::size_t k = 0; k < 3 && i >= 0; ++k) times[k].push_back(took[k]);
  }
  Json result = {{"teacher_ms", median(times[0])},
                 {"student_f32_ms", median(times[1])},
                 {"batch", x.size(0)},
                 {"repeats", kRepeats}};
  if (integer) result["student_int8_ms"] = median(times[2]);
  return result;
}

}  // namespace athanor::distill
