// Small images that a network learns at once.
#pragma once

#include <cstdint>

#include "tensor/ops/copy.h"
#include "tensor/random.h"

namespace athanor {

struct BrightImages {
  Tensor images, labels;  // u8 [n, 12, 12], u8 [n]
};

// Two classes in turn, bright above or bright below, in blocks of 2 x 2 on a dark ground.
inline BrightImages bright_images(std::int64_t n) {
  Generator random(8);
  BrightImages made{zeros({n, 12, 12}, DType::u8), empty({n}, DType::u8)};
  for (std::int64_t i = 0; i < n; ++i) {
    made.labels.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(i % 2);
    for (std::int64_t block = 0; block < 25; ++block) {
      const std::int64_t y = 1 + block / 5 * 2, x = 1 + block % 5 * 2;
      const bool bright = (y < 6) == (i % 2 == 0);
      const std::int64_t value = bright ? 120 + random.next_below(110) : 20 + random.next_below(40);
      for (std::int64_t k = 0; k < 4; ++k) {
        made.images.data<std::uint8_t>()[(i * 12 + y + k / 2) * 12 + x + k % 2] =
            static_cast<std::uint8_t>(value);
      }
    }
  }
  return made;
}

}  // namespace athanor
