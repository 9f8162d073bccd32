// Tensor: a strided view of shared, typed memory.
//
// A Tensor is a small value (shape, strides, offset, dtype) that shares its Storage with its copies
// and views. Shapes follow NumPy: row-major by default, 0-dim and zero-size tensors are ordinary.
// Images have NCHW *shape* and may have channels-last *strides*; every operation accepts any
// strides. Reading one tensor from several threads is safe; writing needs exclusive access.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "tensor/base/dims.h"
#include "tensor/base/dtype.h"
#include "tensor/storage.h"

namespace athanor {

class Tensor {
 public:
  // An undefined tensor, which operations refuse: no elements, on the CPU.
  Tensor() = default;
  // A view of `storage`; offset and strides count elements. Used by view operations.
  Tensor(Ref<Storage> storage, Shape shape, Strides strides, std::int64_t offset, DType dtype)
      : storage_(std::move(storage)),
        shape_(shape),
        strides_(strides),
        offset_(offset),
        numel_(numel_of(shape)),
        dtype_(dtype) {}

  bool defined() const { return static_cast<bool>(storage_); }
  const Shape& shape() const { return shape_; }
  const Strides& strides() const { return strides_; }
  std::int64_t offset() const { return offset_; }
  int rank() const { return shape_.size(); }
  // Size along `axis` in [-rank, rank).
  std::int64_t size(int axis) const { return shape_[normalize_axis("size", axis, shape_)]; }
  std::int64_t numel() const { return numel_; }
  DType dtype() const { return dtype_; }
  Device device() const { return storage_ ? storage_->device() : Device{}; }
  const Ref<Storage>& storage() const { return storage_; }

  // True when the elements lie in row-major order without gaps.
  bool is_contiguous() const {
    std::int64_t step = 1;
    for (int i = rank() - 1; i >= 0; --i) {
      if (shape_[i] == 1) continue;
      if (strides_[i] != step && numel_ != 0) return false;
      step *= shape_[i];
    }
    return true;
  }
  // True for rank 4 when the elements lie in N, H, W, C order without gaps.
  bool is_channels_last() const { return rank() == 4 && follows({0, 2, 3, 1}); }
  // True when the elements fill a block of memory in some order of the axes, each exactly once.
  bool is_dense() const;

  // First element. T must be the element type (checked); `raw` is unchecked.
  template <class T>
  T* data() {
    check_type(DTypeOf<T>::value);
    return static_cast<T*>(raw());
  }
  template <class T>
  const T* data() const {
    check_type(DTypeOf<T>::value);
    return static_cast<const T*>(raw());
  }
  void* raw() const { return storage_->data() + offset_ * size_of(dtype_); }

  // The only element of a one-element tensor, converted to double. Throws for any other count.
  double item() const;
  // The elements in row-major order. T must be the element type.
  template <class T>
  std::vector<T> to_vector() const;

  // Marks an in-place write, so that values saved for backward before it are known to be stale.
  void bump_version(const char* writer) { storage_->bump_version(writer); }
  std::uint32_t version() const { return storage_->version(); }

 private:
  // True when strides are those of a gap-free layout with axes from slowest to fastest as in
  // `order`. Axes of size 1 may have any stride.
  bool follows(std::initializer_list<int> order) const;
  void check_type(DType expected) const {
    if (dtype_ != expected) fail("data", "expected dtype ", expected, ", got ", dtype_);
  }

  Ref<Storage> storage_;
  Shape shape_;
  Strides strides_;
  std::int64_t offset_ = 0;
  std::int64_t numel_ = 0;
  DType dtype_ = DType::f32;
};

// "[4, 8] f32 cpu", for messages.
std::string describe(const Tensor& t);
// Values and dtype in NumPy's style; see tensor/print.h.
std::ostream& operator<<(std::ostream& out, const Tensor& t);

// New tensor with uninitialised elements, row-major.
Tensor empty(const Shape& shape, DType dtype = DType::f32, Device device = {});
// New rank-4 tensor [N, C, H, W] with channels-last strides, uninitialised.
Tensor empty_channels_last(const Shape& shape, DType dtype = DType::f32, Device device = {});
// New tensor of the same shape; keeps the order of the axes in memory when `like` is dense.
Tensor empty_like(const Tensor& like);
Tensor empty_like(const Tensor& like, DType dtype);

// Copies of host values, row-major. Throws when the count differs from the shape's.
template <class T>
Tensor from_values(std::span<const T> values, const Shape& shape);
template <class T>
Tensor from_values(std::initializer_list<T> values, const Shape& shape) {
  return from_values<T>(std::span<const T>(values.begin(), values.size()), shape);
}
template <class T>
Tensor from_values(const std::vector<T>& values, const Shape& shape) {
  return from_values<T>(std::span<const T>(values), shape);
}
// std::vector<bool> has no contiguous storage; see from_values for the other types.

}  // namespace athanor
