// "int8" and "speed" of summary.json (docs/run_directory.md).
#pragma once

#include <nlohmann/json.hpp>

#include "distill/pipeline/quantize_stage.h"

namespace athanor::distill {

// The INT8 student on normalised `inputs` [N, C, H, W] f32 with `labels` i64 [N]: accuracy, f1,
// confusion, agreement (share of the inputs for which it chooses the class that the rounded model
// chooses), agreement_f32 (... the student in f32), layers and max_steps (layer_steps), records;
// after fine-tuning also ptq, the student without it.
nlohmann::json int8_summary(nn::Classifier& student, const QuantizedStudent& quantized,
                            const Tensor& inputs, const Tensor& labels);

// How far the integer engine is from the rounded model, layer by layer: both get the same u8
// inputs, and the results differ by so many steps of their quantisation. A list of name, max_steps
// and off_share, the share of values that differ. The last layer, whose logits are f32, is left
// out.
nlohmann::json layer_steps(nn::FakeQuantizedModel& rounded, const nn::QuantizedModel& integer,
                           const Tensor& inputs);

// Milliseconds for one batch of the first `batch` inputs, each the median of `repeats` runs that
// take turns: teacher_ms, student_f32_ms, student_int8_ms (absent without `integer`), batch,
// repeats. On the CPU, in evaluation.
nlohmann::json inference_times(nn::Classifier& teacher, nn::Classifier& student,
                               const nn::QuantizedModel* integer, const Tensor& inputs);

}  // namespace athanor::distill
