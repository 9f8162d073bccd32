// Sound files as tensors.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

#include "tensor/io/limits.h"
#include "tensor/tensor.h"

namespace athanor::data {

struct Sound {
  Tensor samples;         // f32 [channels, frames] in [-1, 1]
  std::int64_t rate = 0;  // frames a second
};

// A WAV, FLAC, AIFF, AU or Ogg file (what libsndfile reads). Throws bad_input naming `file`:
// another format, a damaged or cut file, more than limits.max_bytes of samples (checked first).
Sound parse_sound(std::span<const std::byte> bytes, std::string_view file,
                  const Limits& limits = {});
Sound load_sound(const std::filesystem::path& path, const Limits& limits = {});

// f32 [channels, frames] -> f32 [frames], the mean of the channels.
Tensor mono(const Tensor& samples);

}  // namespace athanor::data
