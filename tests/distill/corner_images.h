// Files of small images of four classes.
#pragma once

#include <filesystem>
#include <string>

#include "data/idx.h"
#include "tensor/io/atomic_file.h"
#include "tensor/ops/copy.h"
#include "tensor/random.h"

namespace athanor {

// 12 x 12 images of four classes: a bright square whose corner depends on the class.
inline void write_corners(const std::filesystem::path& dir, const std::string& prefix,
                          std::int64_t n, Generator& generator) {
  Tensor images = empty({n, 12, 12}, DType::u8), labels = empty({n}, DType::u8);
  std::uint8_t* pixel = images.data<std::uint8_t>();
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t label = generator.next_below(4);
    labels.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(label);
    const std::int64_t top = 2 + (label / 2) * 4, left = 2 + (label % 2) * 4;
    for (std::int64_t y = 0; y < 12; ++y) {
      for (std::int64_t x = 0; x < 12; ++x) {
        const bool inside = y >= top && y < top + 4 && x >= left && x < left + 4;
        *pixel++ = static_cast<std::uint8_t>(inside ? 100 + generator.next_below(150) : 0);
      }
    }
  }
  write_file_atomically(dir / (prefix + "-images-idx3-ubyte"), data::encode_idx(images));
  write_file_atomically(dir / (prefix + "-labels-idx1-ubyte"), data::encode_idx(labels));
}

}  // namespace athanor
