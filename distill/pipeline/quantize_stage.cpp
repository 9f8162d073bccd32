#include "distill/pipeline/quantize_stage.h"

#include <algorithm>

#include "autograd/variable.h"
#include "data/batches.h"
#include "tensor/base/error.h"
#include "tensor/ops.h"

namespace athanor::distill {
namespace {

constexpr std::int64_t kCalibrationBatch = 500;

// The first `count` rows of the inputs, in batches.
std::vector<Tensor> calibration_batches(const Tensor& inputs, const std::vector<std::int64_t>& rows,
                                        std::int64_t count) {
  std::vector<Tensor> batches;
  const auto all = std::min(count, static_cast<std::int64_t>(rows.size()));
  for (std::int64_t begin = 0; begin < all; begin += kCalibrationBatch) {
    const std::vector<std::int64_t> some(rows.begin() + begin,
                                         rows.begin() + std::min(begin + kCalibrationBatch, all));
    batches.push_back(data::gather_rows(inputs, some));
  }
  return batches;
}

}  // namespace

void check_quantizable(const std::string& student_model) {
  nn::ModelSpec spec;
  spec.model = student_model;
  try {
    nn::layer_graph(spec);
  } catch (const Error&) {
    raise(ErrorKind::usage,
          "quantize.enabled: expected student.model mlp, cnn or resnetN, which INT8 knows, got ",
          student_model, "; quantize.enabled=false leaves the student in f32");
  }
}

QuantizedStudent quantize_student(const nn::Classifier& student, const TrainingSet& set,
                                  const std::vector<std::int64_t>& rows,
                                  const QuantizeSettings& settings, RunLog& log,
                                  ProgressSink& progress, const StopRequest& stop) {
  const std::vector<Tensor> batches = calibration_batches(set.inputs, rows, settings.records);
  const nn::CalibratedModel calibrated = nn::calibrate(student, batches);
  QuantizedStudent result;
  for (const Tensor& batch : batches) result.calibration_records += batch.size(0);
  result.rounded = std::make_shared<nn::FakeQuantizedModel>(calibrated);
  result.calibrated = std::make_shared<nn::QuantizedModel>(calibrated);
  result.integer = result.calibrated;
  if (settings.fine_tune) {
    result.steps = settings.fine_tune->steps;
    result.seconds =
        fine_tune_arm(*result.rounded, set, *settings.fine_tune, log, progress, stop).seconds;
    result.integer = std::make_shared<nn::QuantizedModel>(result.rounded->calibrated());
  }
  result.rounded->eval();
  return result;
}

}  // namespace athanor::distill
