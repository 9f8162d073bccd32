// Shared by the attention kernels: shapes and strides on the device, which keys a query sees, what
// a block does, and the launchers of those by tiles.
#pragma once

#include <cstdint>

#include "tensor/backend/attention_args.h"
#include "tensor/backend/cuda/group.cuh"

namespace athanor::cuda {

inline constexpr std::int64_t kPlainHeadSize = 256;  // at most
inline constexpr std::int64_t kTiledHeadSize = 128;  // at most
inline constexpr int kTileRows = 64;                 // queries or keys that a block owns

// An operand [B, H, L, D].
template <class T>
struct HeadsOf {
  T* data;
  std::int64_t stride[4];

  __device__ T* head(std::int64_t b, std::int64_t h) const {
    return data + b * stride[0] + h * stride[1];
  }
};
template <class T>
HeadsOf<T> heads_of(const Operand& x) {
  HeadsOf<T> heads{x.as<T>(), {}};
  for (int i = 0; i < 4 && x.data; ++i) heads.stride[i] = x.strides[i];
  return heads;
}

template <class T>
struct AttentionShape {
  std::int64_t B, H, Hkv, Lq, Lk, D;
  compute_t<T> scale;
  bool causal;
  HeadsOf<const T> mask;
  const std::int64_t* key_lengths;

  template <class Args>
  explicit AttentionShape(const Args& a)
      : B(a.q.sizes[0]),
        H(a.q.sizes[1]),
        Hkv(a.k.sizes[1]),
        Lq(a.q.sizes[2]),
        Lk(a.k.sizes[2]),
        D(a.q.sizes[3]),
        scale(static_cast<compute_t<T>>(a.scale)),
        causal(a.causal),
        mask(heads_of<const T>(a.mask)),
        key_lengths(a.key_lengths.template as<const std::int64_t>()) {}

  __device__ std::int64_t key_head(std::int64_t h) const { return h / (H / Hkv); }
  // Keys that query i of batch b sees: 0 .. result - 1.
  __device__ std::int64_t seen(std::int64_t b, std::int64_t i) const {
    std::int64_t n = Lk;
    if (key_lengths && key_lengths[b] < n) n = key_lengths[b];
    if (causal && i + Lk - Lq + 1 < n) n = i + Lk - Lq + 1;
    return i < Lq && n > 0 ? n : 0;
  }
  __device__ compute_t<T> mask_at(std::int64_t b, std::int64_t h, std::int64_t i,
                                  std::int64_t j) const {
    return wide(mask.head(b, h)[i * mask.stride[2] + j * mask.stride[3]]);
  }
};

__host__ __device__ inline std::int64_t tiles(std::int64_t rows, int tile_rows = kTileRows) {
  return (rows + tile_rows - 1) / tile_rows;
}

// Which head and tile this block has, of `tile_count` tiles of `tile_rows` a head; `last_first`:
// tiles with most keys start first.
struct BlockWork {
  std::int64_t b, h, first;

  __device__ BlockWork(std::int64_t heads, std::int64_t tile_count, bool last_first,
                       int tile_rows = kTileRows) {
    const std::int64_t head = blockIdx.x / tile_count, tile = blockIdx.x - head * tile_count;
    b = head / heads;
    h = head - b * heads;
    first = (last_first ? tile_count - 1 - tile : tile) * tile_rows;
  }
};

// f32 by tiles of 64 queries (keys), D at most kTiledHeadSize.
void attention_tiled(const AttentionArgs& args);
void attention_tiled_backward(const AttentionBackwardArgs& args, const float* delta);

// f16 and bf16 likewise, on tensor cores.
void attention_tensor_core(const AttentionArgs& args);
void attention_tensor_core_backward(const AttentionBackwardArgs& args, const float* delta);

}  // namespace athanor::cuda
