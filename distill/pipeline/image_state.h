// A finished refinement of images that one of a pool with more images at its end goes on from.
#pragma once

#include <filesystem>
#include <vector>

#include "data/image_set.h"
#include "distill/pipeline/refine_stage.h"
#include "distill/run/stage_store.h"

namespace athanor::distill {

struct EarlierImages {
  RefineStageResult verdicts;  // as scores.csv has them: names, columns, score, keep, reason
  Tensor probabilities;        // f64 [records, K]
};

// state.safetensors: the models' answers, and what tells whether another pool begins with these
// images and is judged in the same way. `times` may be empty; `settings` as of StageStore.
void save_image_state(const std::filesystem::path& out, const data::ImageSet& set,
                      const std::vector<double>& times, const Tensor& probabilities,
                      StageInputs settings);

// Of the directory that a refinement left. Errors are bad_input: a file that is missing or is no
// such file; a state of another format; a pool that does not begin with the images, labels and
// stamps of the earlier run, in their order, or has not more; a class that it had no record of.
// usage: other settings.
EarlierImages load_image_state(const std::filesystem::path& directory, const data::ImageSet& set,
                               const std::vector<double>& times, const StageInputs& settings);

}  // namespace athanor::distill
