// Pieces that the parsers of binary formats share: bounds-checked reading, checked arithmetic, and
// one form of error message.
#pragma once

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include "tensor/base/error.h"
#include "tensor/host.h"
#include "tensor/io/limits.h"
#include "tensor/tensor.h"

namespace athanor {

// Files and tensors are little-endian in memory; another host would need swaps in every reader.
static_assert(std::endian::native == std::endian::little);

// Throws ErrorKind::bad_input:
//   train-labels: offset 4, dimension 0: expected 60000 bytes, found 59999
template <class... Args>
[[noreturn]] void malformed(std::string_view file, std::uint64_t offset, std::string_view field,
                            const Args&... expected_and_found) {
  raise(ErrorKind::bad_input, file, ": offset ", offset, ", ", field, ": ", expected_and_found...);
}

// False when a * b does not fit; `product` is then untouched.
inline bool checked_multiply(std::uint64_t a, std::uint64_t b, std::uint64_t& product) {
  if (a != 0 && b > std::numeric_limits<std::uint64_t>::max() / a) return false;
  product = a * b;
  return true;
}

// The bytes of an array of `shape`, or false when they exceed `max_bytes`. Axes of size 0 count as
// 1 in that check, so that strides cannot overflow either.
inline bool checked_bytes(const Shape& shape, std::uint64_t element_bytes, std::uint64_t max_bytes,
                          std::uint64_t& bytes) {
  std::uint64_t product = element_bytes;
  bool zero = false;
  for (const std::int64_t size : shape) {
    zero = zero || size == 0;
    if (size < 0 ||
        !checked_multiply(product, std::uint64_t(std::max<std::int64_t>(size, 1)), product)) {
      return false;
    }
  }
  if (product > std::min<std::uint64_t>(max_bytes, std::numeric_limits<std::int64_t>::max())) {
    return false;
  }
  bytes = zero ? 0 : product;
  return true;
}

template <std::unsigned_integral T>
constexpr T byte_swapped(T value) {
  T result = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    result = T(result << 8) | T(value & 0xff);
    value = T(value >> 8);
  }
  return result;
}

// Reads numbers from bytes, front to back. `file` is only named in messages.
class ByteReader {
 public:
  ByteReader(std::span<const std::byte> bytes, std::string_view file)
      : bytes_(bytes), file_(file) {}

  std::uint64_t offset() const { return offset_; }
  std::uint64_t remaining() const { return bytes_.size() - offset_; }
  std::string_view file() const { return file_; }

  // The next `count` bytes, or an error that names `field`.
  std::span<const std::byte> take(std::uint64_t count, std::string_view field) {
    if (count > remaining()) {
      malformed(file_, offset_, field, "expected ", count, " bytes, found ", remaining(),
                " before the end");
    }
    const auto piece = bytes_.subspan(offset_, count);
    offset_ += count;
    return piece;
  }
  template <std::unsigned_integral T>
  T little_endian(std::string_view field) {
    T value;
    std::memcpy(&value, take(sizeof(T), field).data(), sizeof(T));
    return value;
  }
  template <std::unsigned_integral T>
  T big_endian(std::string_view field) {
    return byte_swapped(little_endian<T>(field));
  }

 private:
  std::span<const std::byte> bytes_;
  std::string_view file_;
  std::uint64_t offset_ = 0;
};

// New row-major tensor with these bytes as elements. `bytes` has exactly the size of the elements.
// A bool element that is neither 0 nor 1 is an error (as a C++ bool it would be undefined).
// `offset` and `field` say where in `file` the bytes stand.
Tensor tensor_from_bytes(std::span<const std::byte> bytes, const Shape& shape, DType dtype,
                         std::string_view file, std::uint64_t offset, std::string_view field);

// Calls sink(pointer, byte count) with consecutive pieces of the elements of `x` in row-major
// order.
template <class Sink>
void for_each_row_major_piece(const Tensor& x, Sink&& sink) {
  const Tensor host = to_host(x);
  const auto* base = static_cast<const char*>(host.raw());
  const std::int64_t element = size_of(x.dtype());
  if (x.numel() == 0) return;
  if (x.is_contiguous()) {
    sink(base, static_cast<std::size_t>(x.numel() * element));
    return;
  }
  // Odometer over the index; a buffer gathers elements into larger pieces.
  std::string buffer;
  Dims index = Dims::filled(x.rank(), 0);
  std::int64_t position = 0;
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    buffer.append(base + position * element, static_cast<std::size_t>(element));
    if (buffer.size() >= (std::size_t{1} << 20)) {
      sink(buffer.data(), buffer.size());
      buffer.clear();
    }
    for (int axis = x.rank() - 1; axis >= 0; --axis) {
      position += x.strides()[axis];
      if (++index[axis] < x.shape()[axis]) break;
      position -= x.strides()[axis] * x.shape()[axis];
      index[axis] = 0;
    }
  }
  if (!buffer.empty()) sink(buffer.data(), buffer.size());
}

}  // namespace athanor
