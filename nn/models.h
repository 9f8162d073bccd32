// Image classifiers, and their files.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "nn/layers.h"

namespace athanor::nn {

// What a model needs besides its weights; stored in the file's metadata.
struct ModelSpec {
  // "mlp", "cnn", "resnet8" ... "resnet110", "resnet18", "vit", "mixer", or a registered one.
  std::string model = "mlp";
  Shape input = {1, 28, 28};                        // channels, height, width
  std::vector<std::int64_t> hidden = {64};          // of the mlp
  std::vector<std::int64_t> channels = {32, 64};    // of the cnn's two convolutions
  std::int64_t width = 128, layers = 4, heads = 4;  // of vit and mixer
  double dropout = 0;                               // of vit and mixer
  std::int64_t classes = 10;
  // Pixels in [0, 1] are normalised as (x - mean) / stddev before the first layer.
  double mean = 0, stddev = 1;
  std::vector<std::string> class_names;
};

// The spec as JSON, as files hold it, and back. Throws Error(bad_input), with the file's name, for
// text that is no spec.
std::string spec_to_json(const ModelSpec& spec);
ModelSpec spec_from_json(const std::filesystem::path& file, const std::string& text);

// What stands before a classifier's last linear layer: [N, C, H, W] -> features [N, width].
struct Body {
  std::shared_ptr<Module> module;
  std::int64_t width = 0;
};
using MakeBody = std::function<Body(const ModelSpec&, Generator&)>;

// From now on `name` is a model to Classifier, to recipes and in model files. Throws Error(usage)
// for a name that is taken. Not for use while other threads make models.
void register_model(const std::string& name, MakeBody make);
// Those that were registered.
std::vector<std::string> registered_models();

struct Output {
  Variable logits;    // [N, classes]
  Variable features;  // [N, d]: activations before the last layer
};

// mlp: flatten, then Linear and ReLU for each hidden size, then Linear.
// cnn: conv 3x3, BN, ReLU, max-pool 2 for each of two `channels`, Linear 128, ReLU, Linear; height
// and width must be multiples of 4.
// resnetN: nn/resnet.h. vit, mixer: nn/patches.h with patches of 4 pixels. Others: register_model.
class Classifier final : public Module {
 public:
  // Throws Error(usage) for an unknown model or sizes that do not fit.
  Classifier(const ModelSpec& spec, Generator& generator);
  const ModelSpec& spec() const { return spec_; }

  // x: normalised images [N, C, H, W].
  Variable forward(const Variable& x) override { return run(x).logits; }
  Output run(const Variable& x);

 private:
  ModelSpec spec_;
  std::shared_ptr<Module> body_;
  std::shared_ptr<Linear> head_;
};

// Weights and spec in one safetensors file, written atomically.
void save_classifier(const std::filesystem::path& path, const Classifier& model);
// Throws Error(bad_input) for a file of another kind, a newer format version or wrong shapes.
std::shared_ptr<Classifier> load_classifier(const std::filesystem::path& path);

}  // namespace athanor::nn
