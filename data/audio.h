// Sound files as tensors.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
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

// The bytes of a WAV of 16-bit PCM. Samples are rounded to 1/32768 and clipped, so that those of
// such a file come back as they were. Throws usage for what it cannot hold: no channel or more than
// 65,535, a rate of no positive 32-bit number, 2 GiB of samples.
std::string to_wav(const Sound& sound);

// f32 [channels, frames] -> f32 [frames], the mean of the channels.
Tensor mono(const Tensor& samples);

}  // namespace athanor::data
