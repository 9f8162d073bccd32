// NPY, NumPy's format for one array
// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html):
//   \x93NUMPY | version | header length | header: a Python dict | elements
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "tensor/io/limits.h"
#include "tensor/tensor.h"

namespace athanor {

// The array in `bytes`, which are exactly one NPY file of version 1.0 or 2.0. Types: <f4 <f8 <f2
// |i1 |u1 <i4 <i8 |b1, and widened <i2 and <u2 (to i32) and <u4 (to i64). An array in Fortran order
// becomes a tensor with column-major strides. Throws bad_input naming `file`, offset, field,
// expected and found: wrong magic or version, a header that is not the dict of descr, fortran_order
// and shape, other types (big-endian ones are named as such), too few elements, bytes after the
// last one.
Tensor parse_npy(std::span<const std::byte> bytes, std::string_view file,
                 const Limits& limits = {});
Tensor load_npy(const std::filesystem::path& path, const Limits& limits = {});

// The bytes of a version 1.0 file in C order, any strides. NumPy has no bf16: cast it first.
std::string encode_npy(const Tensor& array);
// Writes atomically.
void save_npy(const std::filesystem::path& path, const Tensor& array);

}  // namespace athanor
