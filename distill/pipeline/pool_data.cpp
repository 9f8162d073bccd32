#include "distill/pipeline/pool_data.h"

#include <algorithm>
#include <cstdlib>

#include "tensor/ops/copy.h"

namespace athanor::distill {

std::vector<std::int64_t> iota(std::int64_t n) { return arange(n).to_vector<std::int64_t>(); }

std::vector<std::string> record_numbers(std::int64_t n) {
  std::vector<std::string> numbers;
  for (std::int64_t i = 0; i < n; ++i) numbers.push_back(std::to_string(i));
  return numbers;
}

nn::ModelSpec image_model_spec(const data::ImageSet& set, const std::string& model,
                               const std::vector<std::int64_t>& hidden) {
  nn::ModelSpec spec;
  spec.model = model;
  spec.hidden = hidden;
  spec.input = {set.channels(), set.images.size(-2), set.images.size(-1)};
  spec.classes = set.classes();
  spec.mean = kMean;
  spec.stddev = kStddev;
  spec.class_names = set.class_names;
  return spec;
}

Tensor inputs_of(const Tensor& images, const std::vector<std::int64_t>& rows) {
  const std::int64_t C = images.rank() == 4 ? images.size(1) : 1;
  const std::int64_t H = images.size(-2), W = images.size(-1), size = C * H * W;
  Tensor x = empty({static_cast<std::int64_t>(rows.size()), C, H, W});
  float* out = x.data<float>();
  const std::uint8_t* pixels = images.data<std::uint8_t>();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::int64_t k = 0; k < size; ++k) {
      const double value = pixels[rows[i] * size + k] / 255.0;
      out[static_cast<std::int64_t>(i) * size + k] = static_cast<float>((value - kMean) / kStddev);
    }
  }
  return x;
}

Tensor shifted(const Tensor& inputs, std::int64_t most, Generator& generator) {
  const std::int64_t H = inputs.size(-2), W = inputs.size(-1), C = inputs.size(1);
  Tensor out = full(inputs.shape(), -kMean / kStddev);
  const float* from = inputs.data<float>();
  float* to = out.data<float>();
  for (std::int64_t i = 0; i < inputs.size(0); ++i) {
    const std::int64_t dy = generator.next_below(2 * most + 1) - most;
    const std::int64_t dx = generator.next_below(2 * most + 1) - most;
    const std::int64_t width = W - std::abs(dx);
    for (std::int64_t c = 0; c < C; ++c, from += H * W, to += H * W) {
      if (width <= 0) continue;
      for (std::int64_t y = std::max<std::int64_t>(0, dy); y < std::min(H, H + dy); ++y) {
        std::copy_n(from + (y - dy) * W + std::max<std::int64_t>(0, -dx), width,
                    to + y * W + std::max<std::int64_t>(0, dx));
      }
    }
  }
  return out;
}

}  // namespace athanor::distill
