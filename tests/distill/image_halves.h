// Files of small images of two classes.
#pragma once

#include <filesystem>
#include <string>
#include <utility>

#include "data/idx.h"
#include "tensor/ops/copy.h"
#include "tensor/random.h"

namespace athanor {

// `train` and `test` images of 8 x 8 as IDX files: the bright half says the class.
inline void write_halves(const std::filesystem::path& directory, std::int64_t train,
                         std::int64_t test) {
  Generator g(2);
  for (const auto& [part, count] :
       {std::pair<std::string, std::int64_t>{"train", train}, {"t10k", test}}) {
    Tensor images = zeros({count, 8, 8}, DType::u8), labels = zeros({count}, DType::u8);
    for (std::int64_t i = 0; i < count; ++i) {
      labels.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(i % 2);
      for (std::int64_t k = 0; k < 64; ++k) {
        const bool bright = (k / 32 == 1) == (i % 2 == 1);
        images.data<std::uint8_t>()[i * 64 + k] =
            static_cast<std::uint8_t>(g.next_below(100) + (bright ? 100 : 0));
      }
    }
    data::save_idx(directory / (part + "-images-idx3-ubyte"), images);
    data::save_idx(directory / (part + "-labels-idx1-ubyte"), labels);
  }
}

}  // namespace athanor
