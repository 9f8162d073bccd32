// The main job: a messy pool and a teacher go in; a small student, refined data and a report come
// out.
#pragma once

#include <filesystem>

#include "distill/pipeline/arm.h"
#include "distill/recipe/recipe.h"

namespace athanor::distill {

struct DistillOptions {
  std::filesystem::path out;  // the run directory
  ProgressSink* progress = nullptr;
  StopRequest stop = {};
  Device device = {};            // where models train
  DType precision = DType::f32;  // or bf16, f16: of products, while models train
};

// Runs all stages of `recipe` and writes the run directory (docs/run_directory.md). Returns the
// text of summary.json. Throws Interrupted when `stop` asks for it; what was finished stays.
std::string run_distill(const Recipe& recipe, const DistillOptions& options);

}  // namespace athanor::distill
