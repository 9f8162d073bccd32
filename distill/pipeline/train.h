// Training one model without distillation.
#pragma once

#include <string>

#include "distill/pipeline/distill.h"
#include "distill/recipe/recipe.h"

namespace athanor::distill {

// Trains the recipe's student model on data of the recipe's format (images less the validation
// split, where that is evaluated on; the labelled nodes of a graph; a text less its last tenth) for
// train.epochs passes, then evaluates it once. Writes recipe.toml, log.jsonl, model.safetensors and
// summary.json; returns the text of the latter. Throws as run_distill().
std::string run_train(const Recipe& recipe, const DistillOptions& options);

}  // namespace athanor::distill
