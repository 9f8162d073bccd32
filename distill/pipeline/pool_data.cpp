#include "distill/pipeline/pool_data.h"

#include "tensor/ops/copy.h"

namespace athanor::distill {

std::vector<std::int64_t> iota(std::int64_t n) { return arange(n).to_vector<std::int64_t>(); }

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

}  // namespace athanor::distill
