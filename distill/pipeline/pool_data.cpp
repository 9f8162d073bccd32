#include "distill/pipeline/pool_data.h"

#include <algorithm>
#include <cstdlib>

#include "tensor/ops/copy.h"

namespace athanor::distill {

std::vector<std::int64_t> iota(std::int64_t n) { return arange(n).to_vector<std::int64_t>(); }

nn::ModelSpec image_model_spec(const data::ImageSet& set, const std::string& model,
                               const std::vector<std::int64_t>& hidden) {
  nn::ModelSpec spec;
  spec.model = model;
  spec.hidden = hidden;
  spec.input = {1, set.images.size(1), set.images.size(2)};
  spec.classes = set.classes();
  spec.mean = kMean;
  spec.stddev = kStddev;
  spec.class_names = set.class_names;
  return spec;
}

Tensor inputs_of(const Tensor& images, const std::vector<std::int64_t>& rows) {
  const std::int64_t H = images.size(1), W = images.size(2);
  Tensor x = empty({static_cast<std::int64_t>(rows.size()), 1, H, W});
  float* out = x.data<float>();
  const std::uint8_t* pixels = images.data<std::uint8_t>();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::int64_t k = 0; k < H * W; ++k) {
      const double value = pixels[rows[i] * H * W + k] / 255.0;
      out[static_cast<std::int64_t>(i) * H * W + k] = static_cast<float>((value - kMean) / kStddev);
    }
  }
  return x;
}

Tensor shifted(const Tensor& inputs, std::int64_t most, Generator& generator) {
  const std::int64_t H = inputs.size(-2), W = inputs.size(-1), images = inputs.numel() / (H * W);
  Tensor out = full(inputs.shape(), -kMean / kStddev);
  const float* from = inputs.data<float>();
  float* to = out.data<float>();
  for (std::int64_t i = 0; i < images; ++i, from += H * W, to += H * W) {
    const std::int64_t dy = generator.next_below(2 * most + 1) - most;
    const std::int64_t dx = generator.next_below(2 * most + 1) - most;
    const std::int64_t width = W - std::abs(dx);
    if (width <= 0) continue;
    for (std::int64_t y = std::max<std::int64_t>(0, dy); y < std::min(H, H + dy); ++y) {
      std::copy_n(from + (y - dy) * W + std::max<std::int64_t>(0, -dx), width,
                  to + y * W + std::max<std::int64_t>(0, dx));
    }
  }
  return out;
}

}  // namespace athanor::distill
