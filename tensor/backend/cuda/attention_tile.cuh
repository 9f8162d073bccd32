// The parts of the f32 attention kernels (attention_tiled.cu): tiles in shared memory, and the two
// kinds of product over them by a block's threads.
//
// Threads stand kAcross across and kDown down; a warp has two neighbouring rows of them, lane l at
// (l / 2 across, l % 2 down): neighbouring lanes then read the same 16 bytes of a column's operand
// and every second lane those of a row's, which is what lets shared memory serve half a warp at
// once (four quarters otherwise).
#pragma once

#include <cuda_pipeline.h>

#include "tensor/backend/cuda/attention.cuh"

namespace athanor::cuda {

inline constexpr int kAcross = 16;
inline constexpr int kPack = 4;  // floats of an access
using Pack4 = Pack<float, kPack>;

// What a block does: it owns kOwn rows, tiles of kPass rows go by, heads have up to kD values. A
// thread has kRows of its own rows, and a 16th of the columns of scores and results.
template <int D, int Own, int Pass, int Rows, int Blocks>
struct BlockShape {
  static constexpr int kD = D, kOwn = Own, kPass = Pass, kRows = Rows;
  static constexpr int kDown = Own / Rows, kThreads = kDown * kAcross;
  static constexpr int kColumns = Pass / kAcross;  // of scores
  static constexpr int kValues = D / kAcross;      // of results
  static constexpr int kBlocks = Blocks;           // of a multiprocessor at least
  static_assert(kDown % 2 == 0);
};

// Where a thread stands, and which rows and columns are its own.
template <class S>
struct Place {
  static constexpr int kGroup = S::kValues < kPack ? S::kValues : kPack;
  int across = static_cast<int>(threadIdx.x) % kWarp / 2;
  int down = static_cast<int>(threadIdx.x) / kWarp * 2 + static_cast<int>(threadIdx.x) % 2;

  __device__ int row(int i) const { return down + S::kDown * i; }
  __device__ int column(int j) const { return across + kAcross * j; }
  // Columns of results, in groups of neighbours.
  __device__ int value(int c) const {
    return c / kGroup * kGroup * kAcross + across * kGroup + c % kGroup;
  }
};

// 2^x; 0 for results below 2^-126.
__device__ inline float power_of_two(float x) {
#ifdef ATHANOR_CUDA_EMULATED
  return ::exp2f(x);
#else
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#endif
}

// The largest of values (their sum) over the threads of each row.
template <int kRows>
__device__ inline void largest_of_rows(float (&values)[kRows]) {
#pragma unroll
  for (int bits = kAcross; bits > 1; bits /= 2) {
#pragma unroll
    for (float& value : values) value = ::fmaxf(value, shuffle_xor(value, bits));
  }
}
template <int kRows>
__device__ inline void sum_of_rows(float (&values)[kRows]) {
#pragma unroll
  for (int bits = kAcross; bits > 1; bits /= 2) {
#pragma unroll
    for (float& value : values) value += shuffle_xor(value, bits);
  }
}

// kR rows of kC floats in shared memory; the gap moves neighbouring rows to other banks.
template <int kR, int kC, int kGap = kPack>
struct Tile {
  static constexpr int kStride = kC + kGap, kFloats = kR * kStride;
  float* data;

  __device__ float* end() const { return data + kFloats; }
  __device__ float* row(int r) const { return data + r * kStride; }
  template <int kCount>
  __device__ const Pack<float, kCount>& pack(int r, int column) const {
    return *reinterpret_cast<const Pack<float, kCount>*>(row(r) + column);
  }

  // Starts to copy rows first .. of x [rows, D] by a block of kThreads; what lies outside counts
  // as 0. The tile is there after wait_for_copies and a barrier.
  template <int kThreads>
  __device__ void copy(const float* x, std::int64_t row_stride, std::int64_t stride,
                       std::int64_t first, std::int64_t rows, std::int64_t D) const {
    constexpr int kPacks = kC / kPack, kStep = kThreads / kPacks;
    static_assert(kThreads % kPacks == 0 && kR % kStep == 0);
    const bool packs = stride == 1 && row_stride % kPack == 0 && D % kPack == 0 &&
                       reinterpret_cast<std::uintptr_t>(x) % sizeof(Pack4) == 0;
    const int column = static_cast<int>(threadIdx.x) % kPacks * kPack;
    int r = static_cast<int>(threadIdx.x) / kPacks;
    const float* from = x + (first + r) * row_stride + column * stride;
#pragma unroll 4
    for (; r < kR; r += kStep, from += kStep * row_stride) {
      float* to = row(r) + column;
      if (packs && first + r < rows && column < D) {
        __pipeline_memcpy_async(to, from, sizeof(Pack4));
        continue;
      }
      for (int i = 0; i < kPack; ++i) {
        to[i] = first + r < rows && column + i < D ? from[i * stride] : 0.0f;
      }
    }
  }
};

// Shares of the passing rows, a row an own row. The gap: two rows of a warp take all banks.
template <class S>
using Shares = Tile<S::kOwn, S::kPass, kAcross>;

// Copies that were started since the last call become one batch.
__device__ inline void end_batch() { __pipeline_commit(); }
// Waits until at most kLeft batches are under way, for all of the block's threads.
template <int kLeft>
__device__ inline void wait_for_copies() {
  __pipeline_wait_prior(kLeft);
  __syncthreads();
}

// sums = the thread's part of own passing^T.
template <class S>
__device__ inline void multiply_rows(float (&sums)[S::kRows][S::kColumns],
                                     const Tile<S::kOwn, S::kD>& own,
                                     const Tile<S::kPass, S::kD>& passing, const Place<S>& at) {
#pragma unroll
  for (int i = 0; i < S::kRows; ++i) {
#pragma unroll
    for (int j = 0; j < S::kColumns; ++j) sums[i][j] = 0;
  }
#pragma unroll 4
  for (int k = 0; k < S::kD; k += kPack) {
    Pack4 a[S::kRows], b[S::kColumns];
#pragma unroll
    for (int i = 0; i < S::kRows; ++i) a[i] = own.template pack<kPack>(at.row(i), k);
#pragma unroll
    for (int j = 0; j < S::kColumns; ++j) b[j] = passing.template pack<kPack>(at.column(j), k);
#pragma unroll
    for (int e = 0; e < kPack; ++e) {
#pragma unroll
      for (int i = 0; i < S::kRows; ++i) {
#pragma unroll
        for (int j = 0; j < S::kColumns; ++j) sums[i][j] += a[i].v[e] * b[j].v[e];
      }
    }
  }
}

// The thread's part of kOwn x kD results.
template <class S>
struct Results {
  float of[S::kRows][S::kValues] = {};

  // += shares [kOwn, kPass] x [kPass, kD], where the rows of the thread's warp are in place.
  __device__ void add(const Shares<S>& shares, const Tile<S::kPass, S::kD>& x, const Place<S>& at) {
    constexpr int kGroup = Place<S>::kGroup;
#pragma unroll 4
    for (int k = 0; k < S::kPass; k += kPack) {
      Pack4 w[S::kRows];
#pragma unroll
      for (int i = 0; i < S::kRows; ++i) w[i] = shares.template pack<kPack>(at.row(i), k);
#pragma unroll
      for (int e = 0; e < kPack; ++e) {
#pragma unroll
        for (int c = 0; c < S::kValues; c += kGroup) {
          const auto values = x.template pack<kGroup>(k + e, at.value(c));
#pragma unroll
          for (int i = 0; i < S::kRows; ++i) {
#pragma unroll
            for (int v = 0; v < kGroup; ++v) of[i][c + v] += w[i].v[e] * values.v[v];
          }
        }
      }
    }
  }

  // Writes own row first + row(i) times factor[i] to y [rows, D].
  __device__ void store(float* y, std::int64_t row_stride, std::int64_t stride, std::int64_t first,
                        std::int64_t rows, std::int64_t D, const float (&factor)[S::kRows],
                        const Place<S>& at) const {
#pragma unroll
    for (int i = 0; i < S::kRows; ++i) {
      const std::int64_t r = first + at.row(i);
#pragma unroll
      for (int c = 0; c < S::kValues; ++c) {
        const int d = at.value(c);
        if (r < rows && d < D) y[r * row_stride + d * stride] = of[i][c] * factor[i];
      }
    }
  }
};

// Puts the thread's shares where its warp reads them; all of the warp calls it.
template <class S>
__device__ inline void share(const Shares<S>& shares, const float (&s)[S::kRows][S::kColumns],
                             const Place<S>& at) {
  __syncwarp();
#pragma unroll
  for (int i = 0; i < S::kRows; ++i) {
#pragma unroll
    for (int j = 0; j < S::kColumns; ++j) shares.row(at.row(i))[at.column(j)] = s[i][j];
  }
  __syncwarp();
}

// dp becomes p (dp - minus), p of the thread's own shares; 0 where p is 0.
template <class S>
__device__ inline void shares_to_gradients(float (&dp)[S::kRows][S::kColumns],
                                           const Shares<S>& shares,
                                           const float (&minus)[S::kColumns], const Place<S>& at) {
#pragma unroll
  for (int i = 0; i < S::kRows; ++i) {
#pragma unroll
    for (int j = 0; j < S::kColumns; ++j) {
      const float part = shares.row(at.row(i))[at.column(j)];
      dp[i][j] = part == 0 ? 0.0f : part * (dp[i][j] - minus[j]);
    }
  }
}

}  // namespace athanor::cuda
