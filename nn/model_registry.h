// Bodies of classifiers by name, so that programs add their own to mlp, cnn and the other built-in
// models.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "nn/module.h"

namespace athanor::nn {

struct ModelSpec;

// Everything before the last layer: normalised inputs [N, C, H, W] -> features [N, width].
struct ModelBody {
  std::shared_ptr<Module> module;
  std::int64_t width = 0;
};
using ModelMaker = std::function<ModelBody(const ModelSpec&, Generator&)>;

// From now on Classifier knows the model `name`, in recipes and in files. Throws usage when the
// name is taken. Not to be called while models are made on other threads.
void register_model(const std::string& name, ModelMaker maker);
// The maker of a registered model, or nullptr.
const ModelMaker* find_model(const std::string& name);
std::vector<std::string> registered_models();

}  // namespace athanor::nn
