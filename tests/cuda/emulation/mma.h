// Tensor core operations on the CPU, with the elements where PTX puts them
// (tensor/backend/cuda/mma.cuh). Lanes show each other their registers by address; a second
// exchange keeps them in place until all have read.
#pragma once

#include <cstdint>
#include <cstring>

#include "tensor/base/dtype.h"
#include "tests/cuda/emulation/block.h"

namespace athanor::emulation {

// Element `half` (0, 1) of a register word.
template <class T>
float element_of(std::uint32_t word, unsigned half) {
  T value;
  value.bits = static_cast<std::uint16_t>(word >> (16 * half));
  return static_cast<float>(value);
}

struct MmaOperands {
  const std::uint32_t* a;
  std::uint32_t b[2];
};

template <class T>
void multiply_add(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1,
                  const Place& place = Place::current()) {
  const MmaOperands self{a, {b0, b1}};
  std::uint64_t all[32];
  warp_exchange(0xffffffffu, reinterpret_cast<std::uintptr_t>(&self), all, "mma", place);
  const auto operands = [&](unsigned of) { return reinterpret_cast<const MmaOperands*>(all[of]); };
  const unsigned g = lane() / 4, t = lane() % 4;
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned row = g + i / 2 * 8, column = 2 * t + i % 2;
    float sum = c[i];
    for (unsigned k = 0; k < 16; ++k) {
      // A's element (row, k) and B's element (k, column): which lane, which word, which half.
      const std::uint32_t left = operands(row % 8 * 4 + k % 8 / 2)->a[row / 8 + k / 8 * 2];
      const std::uint32_t right = operands(column * 4 + k % 8 / 2)->b[k / 8];
      sum += element_of<T>(left, k % 2) * element_of<T>(right, k % 2);
    }
    c[i] = sum;
  }
  warp_exchange(0xffffffffu, 0, all, "mma's end", place);
}

inline void load_matrices(std::uint32_t (&words)[4], const void* row, bool transposed,
                          const Place& place = Place::current()) {
  check_aligned(row, 16, place);
  std::uint64_t rows[32];
  warp_exchange(0xffffffffu, reinterpret_cast<std::uintptr_t>(row), rows, "ldmatrix", place);
  const unsigned g = lane() / 4, t = lane() % 4;
  for (unsigned m = 0; m < 4; ++m) {
    std::uint16_t halves[2];
    for (unsigned i = 0; i < 2; ++i) {
      const unsigned at_row = transposed ? 2 * t + i : g, at_column = transposed ? g : 2 * t + i;
      const auto* elements = reinterpret_cast<const std::uint16_t*>(rows[m * 8 + at_row]);
      halves[i] = elements[at_column];
    }
    words[m] = halves[0] | static_cast<std::uint32_t>(halves[1]) << 16;
  }
}

}  // namespace athanor::emulation
