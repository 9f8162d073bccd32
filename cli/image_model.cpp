#include "cli/image_model.h"

#include <algorithm>

#include "distill/pipeline/arm.h"
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
  return real_ ? distill::predict(*real_, images).logits : logits_of(*quantized_, images);
}

Tensor logits_of(const nn::QuantizedModel& model, const Tensor& images) {
  constexpr std::int64_t kBatch = 500;
  const std::int64_t N = images.size(0);
  Tensor all = empty({N, model.spec().classes});
  for (std::int64_t begin = 0; begin < N; begin += kBatch) {
    const std::int64_t end = std::min(begin + kBatch, N);
    Tensor part = slice(all, 0, begin, end);
    copy_(part, model.forward(contiguous(slice(images, 0, begin, end))));
  }
  return all;
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
