// Parts of summary.json (docs/run_directory.md).
#pragma once

#include <nlohmann/json.hpp>

#include "distill/pipeline/arm.h"
#include "distill/pipeline/refine_stage.h"
#include "distill/refine/manifest.h"

namespace athanor::distill {

// params, accuracy, f1 (macro) and the confusion matrix of a model on normalised `inputs`
// [N, C, H, W] with `labels` i64 [N].
nlohmann::json score_model(nn::Classifier& model, const Tensor& inputs, const Tensor& labels);
// accuracy, f1 and confusion of logits f32 [N, K].
nlohmann::json score_logits(const Tensor& logits, const Tensor& labels);

// "refine": the selection measured against what was planted.
nlohmann::json refine_summary(const Manifest& manifest, const RefineStageResult& refined);

// "control"; a bound that did nothing adds a note.
nlohmann::json control_summary(const ArmResult& student, nlohmann::json& notes);

}  // namespace athanor::distill
