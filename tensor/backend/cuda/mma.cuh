// Tensor cores: 16 x 8 x 16 products of f16 and bf16 with sums in f32, and the loads from shared
// memory that their operands need.
//
// Where the elements lie (PTX ISA, mma.m16n8k16), with g = lane / 4, t = lane % 4:
//   A, 16 x 16   a[0] (g, 2t .. 2t+1), a[1] (g + 8, same), a[2] (g, 2t+8 ..), a[3] (g + 8, 2t+8 ..)
//   B, 16 x 8    b[0] (2t .. 2t+1, g), b[1] (2t+8 .., g)
//   C, 16 x 8    c[0], c[1] (g, 2t .. 2t+1), c[2], c[3] (g + 8, same)
// Each 32-bit word holds two elements, the first one in its low half. So a row of C tiles becomes
// an A operand without any exchange between lanes.
#pragma once

#include <cstdint>

#include "tensor/backend/cuda/element.cuh"

namespace athanor::cuda {

// c += a b
template <class T>
__device__ inline void multiply_add(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0,
                                    std::uint32_t b1) {
  static_assert(std::is_same_v<T, f16> || std::is_same_v<T, bf16>);
#ifdef ATHANOR_CUDA_EMULATED
  emulation::multiply_add<T>(c, a, b0, b1);
#else
  if constexpr (std::is_same_v<T, f16>) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  } else {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  }
#endif
}

// Four 8 x 8 matrices from shared memory (ldmatrix): lane l names row l % 8 of matrix l / 8, 16
// bytes that are aligned. Word m of a lane: elements (g, 2t .. 2t+1) of matrix m; transposed,
// elements (2t .. 2t+1, g).
__device__ inline void load_matrices(std::uint32_t (&words)[4], const void* row) {
#ifdef ATHANOR_CUDA_EMULATED
  emulation::load_matrices(words, row, false);
#else
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
               : "r"(address));
#endif
}

__device__ inline void load_matrices_transposed(std::uint32_t (&words)[4], const void* row) {
#ifdef ATHANOR_CUDA_EMULATED
  emulation::load_matrices(words, row, true);
#else
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
               : "r"(address));
#endif
}

// Two neighbours as one word.
template <class T>
__device__ inline std::uint32_t pack_two(float first, float second) {
  return narrow<T>(first).bits | static_cast<std::uint32_t>(narrow<T>(second).bits) << 16;
}

// A tile in shared memory: rows of kD elements, 16 bytes apart from a multiple of 128, so that the
// eight rows of a matrix lie in different banks.
template <class T, int kRows, int kD>
struct Tile {
  static constexpr int kStride = kD + 8;
  static constexpr int kElements = kRows * kStride;
  T* data;

  __device__ const T* at(int row, int column) const { return data + row * kStride + column; }

  // The A operand of rows row .. row + 15, columns column .. column + 15.
  __device__ void load_a(std::uint32_t (&a)[4], int row, int column, int lane) const {
    load_matrices(a, at(row + lane % 16, column + lane / 16 * 8));
  }
  // Two B operands whose columns are this tile's rows row .. row + 7 and row + 8 .. row + 15, and
  // whose sum runs along columns column .. column + 15: words 0, 1 and 2, 3.
  __device__ void load_b_rows(std::uint32_t (&b)[4], int row, int column, int lane) const {
    load_matrices(b, at(row + lane % 8 + lane / 16 * 8, column + lane / 8 % 2 * 8));
  }
  // Two B operands whose sum runs along this tile's rows row .. row + 15, and whose columns are
  // columns column .. column + 7 and column + 8 .. column + 15.
  __device__ void load_b_columns(std::uint32_t (&b)[4], int row, int column, int lane) const {
    load_matrices_transposed(b, at(row + lane % 16, column + lane / 16 * 8));
  }
};

}  // namespace athanor::cuda
