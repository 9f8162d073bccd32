// Memory whose last byte is followed by a page that cannot be touched: one element too far stops
// the program, in every build.
#pragma once

#include <cstddef>

namespace athanor::emulation {

class GuardedMemory {
 public:
  // `bytes` of 0xFF, which reads as NaN; the end is aligned to `alignment` (a power of two, at most
  // a page) and followed by the forbidden page, the start preceded by one.
  explicit GuardedMemory(std::size_t bytes, std::size_t alignment = 16);
  ~GuardedMemory();
  GuardedMemory(GuardedMemory&& other) noexcept;
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;

  unsigned char* data() const { return data_; }
  std::size_t size() const { return bytes_; }

 private:
  unsigned char* pages_;
  std::size_t mapped_, bytes_;
  unsigned char* data_;
};

}  // namespace athanor::emulation
