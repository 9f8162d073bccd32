// A trained student in INT8: its ranges calibrated, fine-tuned with 8-bit rounding, converted.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "distill/pipeline/arm.h"
#include "nn/quantization.h"
#include "nn/quantized_model.h"

namespace athanor::distill {

struct QuantizeSettings {
  std::int64_t records = 2000;           // that show the ranges: the first of the student's rows
  std::optional<ArmSettings> fine_tune;  // quantisation-aware training; none: post-training
};

struct QuantizedStudent {
  std::shared_ptr<nn::FakeQuantizedModel> rounded;       // in f32, what training sees
  std::shared_ptr<const nn::QuantizedModel> integer;     // the same in integers
  std::shared_ptr<const nn::QuantizedModel> calibrated;  // before fine-tuning; without, `integer`
  std::int64_t calibration_records = 0;
  std::int64_t steps = 0;  // of fine-tuning
  double seconds = 0;
};

// The arm's name in log and table, and the file in the run directory.
inline constexpr const char* kInt8Arm = "student:int8";
inline constexpr const char* kInt8File = "student-int8.safetensors";

// Throws Error(usage) that names quantize.enabled and the models that can be INT8, when
// `student_model` cannot.
void check_quantizable(const std::string& student_model);

// `rows` of set.inputs are what the student learnt from. Everything is computed on the CPU.
QuantizedStudent quantize_student(const nn::Classifier& student, const TrainingSet& set,
                                  const std::vector<std::int64_t>& rows,
                                  const QuantizeSettings& settings, RunLog& log,
                                  ProgressSink& progress, const StopRequest& stop);

}  // namespace athanor::distill
