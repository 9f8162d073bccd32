// Image classifiers, and their files.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "nn/layers.h"

namespace athanor::nn {

// What a model needs besides its weights; stored in the file's metadata.
struct ModelSpec {
  std::string model = "mlp";  // "mlp", "cnn", or a registered one (nn/model_registry.h)
  Shape input = {1, 28, 28};  // channels, height, width
  std::vector<std::int64_t> hidden = {64};        // of the mlp
  std::vector<std::int64_t> channels = {32, 64};  // of the cnn's two convolutions
  std::int64_t classes = 10;
  // Pixels in [0, 1] are normalised as (x - mean) / stddev before the first layer.
  double mean = 0, stddev = 1;
  std::vector<std::string> class_names;
};

struct Output {
  Variable logits;    // [N, classes]
  Variable features;  // [N, d]: activations before the last layer
};

// mlp: flatten, then Linear and ReLU for each hidden size, then Linear.
// cnn: conv 3x3, BN, ReLU, max-pool 2 for each of two `channels`, Linear 128, ReLU, Linear; height
// and width must be multiples of 4.
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
