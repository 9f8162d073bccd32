// A classifier of images from its file, in f32 or in INT8: what eval, predict and quantize use.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "data/image_set.h"
#include "nn/models.h"
#include "nn/quantized_model.h"

namespace athanor::cli {

class ImageModel {
 public:
  // Reads a file of save_classifier or of save_quantized. Throws Error(bad_input) for another one,
  // Error(usage) for an INT8 model on a device other than the CPU.
  ImageModel(const std::string& file, Device device);

  const nn::ModelSpec& spec() const;
  bool quantized() const { return quantized_.has_value(); }
  // The f32 model; null when quantized().
  const std::shared_ptr<nn::Classifier>& real() const { return real_; }
  // Normalised images [N, C, H, W] f32 -> logits [N, classes], in batches.
  Tensor logits(const Tensor& images) const;

 private:
  std::shared_ptr<nn::Classifier> real_;
  std::optional<nn::QuantizedModel> quantized_;
};

// The images of a set as the model of `spec` reads them. Throws Error(bad_input), with `file`'s
// name, when size or classes do not fit.
Tensor normalised_images(const data::ImageSet& set, const nn::ModelSpec& spec,
                         const std::string& file);

}  // namespace athanor::cli
