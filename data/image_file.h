// PNG and JPEG pictures as tensors.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "tensor/io/limits.h"
#include "tensor/tensor.h"

namespace athanor::data {

enum class PixelFormat { gray = 1, rgb = 3 };  // the value is the number of channels

// The pixels of one PNG or JPEG, told apart by their first bytes: u8 [channels, height, width].
// Palettes, 16 bits and other colour spaces are converted; what is transparent shows black. Throws
// bad_input naming `file`: another format, a damaged or cut picture, more pixels than
// limits.max_bytes (checked before anything is allocated).
Tensor parse_image(std::span<const std::byte> bytes, std::string_view file, PixelFormat format,
                   const Limits& limits = {});
Tensor load_image(const std::filesystem::path& path, PixelFormat format, const Limits& limits = {});

// The bytes of a PNG of u8 [1 or 3, height, width].
std::string to_png(const Tensor& image);
// Writes the same, atomically.
void save_png(const std::filesystem::path& path, const Tensor& image);

// Bilinear with pixel centres at i + 1/2 and no anti-aliasing (PyTorch's interpolate with
// align_corners = false): u8 [C, H, W] -> u8 [C, height, width].
Tensor resize_image(const Tensor& image, std::int64_t height, std::int64_t width);

}  // namespace athanor::data
