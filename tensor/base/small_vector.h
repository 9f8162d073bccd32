// A vector whose first N elements need no memory of their own; more come from the pool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "tensor/base/pool.h"

namespace athanor {

// T must not throw when moved.
template <class T, std::uint32_t N>
class SmallVector {
 public:
  SmallVector() = default;
  // `count` value-initialised elements.
  explicit SmallVector(std::size_t count) {
    reserve(static_cast<std::uint32_t>(count));
    for (std::size_t i = 0; i < count; ++i) ::new (static_cast<void*>(data_ + i)) T();
    size_ = static_cast<std::uint32_t>(count);
  }
  SmallVector(SmallVector&& other) noexcept { take(other); }
  SmallVector& operator=(SmallVector&& other) noexcept {
    if (this != &other) {
      release();
      take(other);
    }
    return *this;
  }
  ~SmallVector() { release(); }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  T& operator[](std::size_t i) { return data_[i]; }
  const T& operator[](std::size_t i) const { return data_[i]; }
  T& back() { return data_[size_ - 1]; }

  template <class... Args>
  T& emplace_back(Args&&... args) {
    if (size_ == capacity_) reserve(2 * capacity_);
    T* made = ::new (static_cast<void*>(data_ + size_)) T(std::forward<Args>(args)...);
    ++size_;
    return *made;
  }
  void push_back(T value) { emplace_back(std::move(value)); }

  void clear() {
    for (std::uint32_t i = 0; i < size_; ++i) data_[i].~T();
    size_ = 0;
  }

  void reserve(std::uint32_t count) {
    if (count <= capacity_) return;
    T* grown = static_cast<T*>(detail::pool_allocate(count * sizeof(T)));
    for (std::uint32_t i = 0; i < size_; ++i) {
      ::new (static_cast<void*>(grown + i)) T(std::move(data_[i]));
      data_[i].~T();
    }
    free_memory();
    data_ = grown;
    capacity_ = count;
  }

 private:
  T* inline_data() { return reinterpret_cast<T*>(inline_); }
  void free_memory() {
    if (data_ != inline_data()) detail::pool_free(data_, capacity_ * sizeof(T));
  }
  void release() {
    clear();
    free_memory();
    data_ = inline_data();
    capacity_ = N;
  }
  // This one has no elements and no memory.
  void take(SmallVector& other) {
    if (other.data_ != other.inline_data()) {
      data_ = std::exchange(other.data_, other.inline_data());
      size_ = std::exchange(other.size_, 0);
      capacity_ = std::exchange(other.capacity_, N);
      return;
    }
    for (std::uint32_t i = 0; i < other.size_; ++i) {
      ::new (static_cast<void*>(data_ + i)) T(std::move(other.data_[i]));
    }
    size_ = other.size_;
    other.clear();
  }

  T* data_ = inline_data();
  std::uint32_t size_ = 0, capacity_ = N;
  alignas(T) std::byte inline_[N * sizeof(T)];
};

}  // namespace athanor
