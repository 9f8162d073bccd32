#include "cli/image_model.h"

#include "distill/pipeline/predict.h"
#include "tensor/ops.h"

namespace athanor::cli {

ImageModel::ImageModel(const std::string& file, Device device) {
  if (!nn::is_quantized_file(file)) {
    real_ = nn::load_classifier(file);
    real_->to(device);
    return;
  }
  if (device.type != DeviceType::cpu) {
    raise(ErrorKind::usage, file, ": expected --device cpu for an INT8 model, got ", device);
  }
  quantized_ = nn::load_quantized(file);
}

const nn::ModelSpec& ImageModel::spec() const { return real_ ? real_->spec() : quantized_->spec(); }

Tensor ImageModel::logits(const Tensor& images) const {
  return real_ ? distill::predict(*real_, images).logits : distill::logits_of(*quantized_, images);
}

Tensor normalised_images(const data::ImageSet& set, const nn::ModelSpec& spec,
                         const std::string& file) {
  const Shape expected{set.channels(), set.images.size(-2), set.images.size(-1)};
  if (!(spec.input == expected) || spec.classes < set.classes()) {
    raise(ErrorKind::bad_input, file, ": expected a model for images ", expected, " and ",
          set.classes(), " classes, found ", spec.input, " and ", spec.classes);
  }
  const Tensor pixels = data::to_unit_floats(set.images);
  return reshape(mul(add(pixels, -spec.mean), 1 / spec.stddev),
                 {set.size(), expected[0], expected[1], expected[2]});
}

}  // namespace athanor::cli
