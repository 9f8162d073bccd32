// A short inline vector of sizes or strides: at most kMaxRank entries, never on the heap.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <ostream>
#include <span>

#include "tensor/base/error.h"

namespace athanor {

inline constexpr int kMaxRank = 8;

class Dims {
 public:
  Dims() = default;
  Dims(std::initializer_list<std::int64_t> values)
      : Dims(std::span<const std::int64_t>(values.begin(), values.size())) {}
  explicit Dims(std::span<const std::int64_t> values) {
    if (values.size() > kMaxRank) {
      raise(ErrorKind::runtime, "[shape] expected rank <= ", kMaxRank, ", got ", values.size());
    }
    size_ = static_cast<int>(values.size());
    std::copy(values.begin(), values.end(), values_);
  }
  // `rank` entries, each `value`.
  static Dims filled(int rank, std::int64_t value) {
    if (rank > kMaxRank) {
      raise(ErrorKind::runtime, "[shape] expected rank <= ", kMaxRank, ", got ", rank);
    }
    Dims d;
    for (int i = 0; i < rank; ++i) d.values_[i] = value;
    d.size_ = rank;
    return d;
  }

  int size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::int64_t operator[](int i) const { return values_[i]; }
  std::int64_t& operator[](int i) { return values_[i]; }
  std::int64_t back() const { return values_[size_ - 1]; }
  const std::int64_t* begin() const { return values_; }
  const std::int64_t* end() const { return values_ + size_; }
  std::int64_t* begin() { return values_; }
  std::int64_t* end() { return values_ + size_; }

  void push_back(std::int64_t value) {
    if (size_ == kMaxRank) {
      raise(ErrorKind::runtime, "[shape] expected rank <= ", kMaxRank, ", got ", kMaxRank + 1);
    }
    values_[size_++] = value;
  }
  void insert(int at, std::int64_t value) {
    push_back(0);
    for (int i = size_ - 1; i > at; --i) values_[i] = values_[i - 1];
    values_[at] = value;
  }
  void erase(int at) {
    for (int i = at; i + 1 < size_; ++i) values_[i] = values_[i + 1];
    --size_;
  }

  friend bool operator==(const Dims& a, const Dims& b) {
    return a.size_ == b.size_ && std::equal(a.begin(), a.end(), b.begin());
  }

 private:
  std::int64_t values_[kMaxRank] = {};
  int size_ = 0;
};

using Shape = Dims;
using Strides = Dims;

inline std::ostream& operator<<(std::ostream& out, const Dims& d) {
  out << '[';
  for (int i = 0; i < d.size(); ++i) out << (i ? ", " : "") << d[i];
  return out << ']';
}

// Number of elements: the product of the sizes, 1 for a 0-dim shape.
// Throws when a size is negative or the product overflows 63 bits.
inline std::int64_t numel_of(const Shape& shape) {
  std::int64_t n = 1;
  bool zero = false;
  for (std::int64_t s : shape) {
    if (s < 0) raise(ErrorKind::runtime, "[shape] expected sizes >= 0, got ", shape);
    if (s == 0) {
      zero = true;
    } else if (__builtin_mul_overflow(n, s, &n)) {
      raise(ErrorKind::runtime, "[shape] expected fewer than 2^63 elements, got ", shape);
    }
  }
  return zero ? 0 : n;
}

// Row-major strides, in elements.
inline Strides contiguous_strides(const Shape& shape) {
  Strides strides = Dims::filled(shape.size(), 1);
  std::int64_t step = 1;
  for (int i = shape.size() - 1; i >= 0; --i) {
    strides[i] = step;
    step *= std::max<std::int64_t>(shape[i], 1);
  }
  return strides;
}

// Maps axis in [-rank, rank) to [0, rank); throws naming `op` otherwise.
inline int normalize_axis(const char* op, int axis, const Shape& shape) {
  const int rank = shape.size();
  if (axis < -rank || axis >= rank) {
    fail(op, "expected axis in [", -rank, ", ", rank, "), got ", axis, " (input ", shape, ")");
  }
  return axis < 0 ? axis + rank : axis;
}

}  // namespace athanor
