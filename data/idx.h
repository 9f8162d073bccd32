// IDX, the format of the MNIST family: a typed array of any rank, big-endian, optionally gzipped.
//   bytes 0-1: zero   byte 2: element type   byte 3: rank   rank x u32: sizes   elements, row-major
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "tensor/io/limits.h"
#include "tensor/tensor.h"

namespace athanor::data {

// The array in `bytes`, which are exactly one IDX file. Element types 08 u8, 09 i8, 0B i16 (widened
// to i32), 0C i32, 0D f32, 0E f64. Throws bad_input naming `file` (used in messages only), offset,
// field, expected and found: wrong magic, unknown type, rank beyond the limit, sizes that overflow,
// too few bytes, bytes after the last element.
Tensor parse_idx(std::span<const std::byte> bytes, std::string_view file,
                 const Limits& limits = {});

// Reads an IDX file; gzip is recognised by its content, not by the name.
Tensor load_idx(const std::filesystem::path& path, const Limits& limits = {});

// Whether the file, gzipped or not, begins as an IDX file does; false where it cannot be read.
bool is_idx(const std::filesystem::path& path);

// The bytes of an IDX file. dtype is u8, i8, i32, f32 or f64; any strides.
std::string encode_idx(const Tensor& array);

// Writes atomically; compressed when the name ends in ".gz".
void save_idx(const std::filesystem::path& path, const Tensor& array);

}  // namespace athanor::data
