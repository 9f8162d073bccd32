// Attention of f32 by tiles in shared memory (after FlashAttention-2; Dao 2023), with ordinary
// multiply-adds: f32 keeps all its bits. The scheme is that of attention_tensor_core.cu: 64 queries
// stay while tiles of 64 keys pass by; backward runs once by queries for dq and once by keys for dk
// and dv, so that every gradient has one owner.
//
// The 256 threads of a block stand 16 across and 16 down. Of a tile of 64 x 64 scores a thread has
// rows 4 down .. 4 down + 3 and columns across, across + 16, ...; a row's threads are half a warp.
#include "tensor/backend/cuda/attention.cuh"

namespace athanor::cuda {
namespace {

constexpr int kSide = 16;
constexpr int kThreads = kSide * kSide;
constexpr int kEach = kTileRows / kSide;  // rows and columns of a thread
constexpr int kPack = 4;
constexpr float kNone = kLowest<float>;

// Blocks of a multiprocessor at least, which bounds the registers.
template <int kD>
constexpr int kBlocks = kD <= 64 ? 2 : 1;

using Pack4 = Pack<float, kPack>;
using Scores = float[kEach][kEach];

struct Place {
  int across = static_cast<int>(threadIdx.x) % kSide, down = static_cast<int>(threadIdx.x) / kSide;
  __device__ int row(int i) const { return kEach * down + i; }
  __device__ int column(int j) const { return across + kSide * j; }
};

// 64 rows of kD elements in shared memory; the gap moves neighbouring rows to other banks.
template <int kD>
struct Tile {
  static constexpr int kStride = kD + kPack;
  float* data;

  __device__ float* end() const { return data + kTileRows * kStride; }
  __device__ float* row(int r) const { return data + r * kStride; }
  __device__ Pack4& pack(int r, int column) const {
    return *reinterpret_cast<Pack4*>(row(r) + column);
  }

  // Rows first .. of x [rows, D]; what lies outside counts as 0.
  __device__ void load(const float* x, std::int64_t row_stride, std::int64_t stride,
                       std::int64_t first, std::int64_t rows, std::int64_t D) const {
    constexpr int kPacks = kD / kPack;
    const bool packs = stride == 1 && row_stride % kPack == 0 && D % kPack == 0 &&
                       reinterpret_cast<std::uintptr_t>(x) % sizeof(Pack4) == 0;
    for (int e = static_cast<int>(threadIdx.x); e < kTileRows * kPacks; e += kThreads) {
      const int r = e / kPacks, column = e % kPacks * kPack;
      const float* from = x + (first + r) * row_stride + column * stride;
      Pack4 values;
      if (packs && first + r < rows && column < D) {
        values = load_pack<kPack>(from);
      } else {
        for (int i = 0; i < kPack; ++i) {
          values.v[i] = first + r < rows && column + i < D ? from[i * stride] : 0.0f;
        }
      }
      pack(r, column) = values;
    }
  }
};

// sums += the thread's part of left right^T.
template <int kD>
__device__ inline void multiply_rows(Scores& sums, const Tile<kD>& left, const Tile<kD>& right,
                                     const Place& at) {
#pragma unroll 4
  for (int k = 0; k < kD; k += kPack) {
    Pack4 a[kEach], b[kEach];
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      a[i] = left.pack(at.row(i), k);
      b[i] = right.pack(at.column(i), k);
    }
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
#pragma unroll
      for (int j = 0; j < kEach; ++j) {
#pragma unroll
        for (int e = 0; e < kPack; ++e) sums[i][j] += a[i].v[e] * b[j].v[e];
      }
    }
  }
}

// The thread's part of 64 x kD sums: its rows, kD / 16 neighbouring columns.
template <int kD>
struct Sums {
  static constexpr int kColumns = kD / kSide;
  float of[kEach][kColumns] = {};

  // += weights [64, 64] x [64, kD], where the thread's rows of `weights` are in place.
  __device__ void add(const Tile<kTileRows>& weights, const Tile<kD>& x, const Place& at) {
    constexpr int kGroup = kColumns < kPack ? kColumns : kPack;
#pragma unroll 4
    for (int k = 0; k < kTileRows; k += kPack) {
      Pack4 w[kEach];
#pragma unroll
      for (int i = 0; i < kEach; ++i) w[i] = weights.pack(at.row(i), k);
#pragma unroll
      for (int e = 0; e < kPack; ++e) {
#pragma unroll
        for (int c = 0; c < kColumns; c += kGroup) {
          const auto values = *reinterpret_cast<const Pack<float, kGroup>*>(
              x.row(k + e) + at.across * kColumns + c);
#pragma unroll
          for (int i = 0; i < kEach; ++i) {
#pragma unroll
            for (int v = 0; v < kGroup; ++v) of[i][c + v] += w[i].v[e] * values.v[v];
          }
        }
      }
    }
  }

  // Writes row first + row(i) times factor[i] to y [rows, D].
  __device__ void store(float* y, std::int64_t row_stride, std::int64_t stride, std::int64_t first,
                        std::int64_t rows, std::int64_t D, const float (&factor)[kEach],
                        const Place& at) const {
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const std::int64_t r = first + at.row(i);
#pragma unroll
      for (int c = 0; c < kColumns; ++c) {
        const int d = at.across * kColumns + c;
        if (r < rows && d < D) y[r * row_stride + d * stride] = of[i][c] * factor[i];
      }
    }
  }
};

// Puts the thread's scores where its half of the warp reads them; all of that half calls it.
__device__ inline void share(const Tile<kTileRows>& weights, const Scores& s, const Place& at) {
  __syncwarp();
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
#pragma unroll
    for (int j = 0; j < kEach; ++j) weights.row(at.row(i))[at.column(j)] = s[i][j];
  }
  __syncwarp();
}

// The join of a value over the threads of a row.
template <class Join>
__device__ inline float of_row(float value) {
#pragma unroll
  for (int bits = kSide / 2; bits > 0; bits /= 2) {
    value = Join::join(value, shuffle_xor(value, bits));
  }
  return value;
}

__device__ inline float score_of(const AttentionShape<float>& p, std::int64_t b, std::int64_t h,
                                 std::int64_t i, std::int64_t j, bool seen, float product) {
  if (!seen) return kNone;
  return product * p.scale + (p.mask.data ? p.mask_at(b, h, i, j) : 0.0f);
}

// Keys that one of the tile's queries sees: later queries see no fewer, but those outside none.
__device__ inline std::int64_t keys_of_tile(const AttentionShape<float>& p, std::int64_t b,
                                            std::int64_t first) {
  const std::int64_t end = first + kTileRows;
  return p.seen(b, (end < p.Lq ? end : p.Lq) - 1);
}

template <int kD>
__global__ void __launch_bounds__(kThreads, kBlocks<kD>)
    forward(AttentionShape<float> p, HeadsOf<const float> q, HeadsOf<const float> k,
            HeadsOf<const float> v, HeadsOf<float> y, float* lse) {
  const Place at;
  const BlockWork work(p.H, tiles(p.Lq), p.causal);
  const std::int64_t b = work.b, h = work.h, g = p.key_head(h);
  const Tile<kD> queries{dynamic_shared<float>()}, keys{queries.end()}, values{keys.end()};
  const Tile<kTileRows> shares{values.end()};
  queries.load(q.head(b, h), q.stride[2], q.stride[3], work.first, p.Lq, p.D);

  std::int64_t seen[kEach];
  float largest[kEach], sum[kEach];
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    seen[i] = p.seen(b, work.first + at.row(i));
    largest[i] = kNone;
    sum[i] = 0;
  }
  const std::int64_t end = keys_of_tile(p, b, work.first);
  Sums<kD> total;
  for (std::int64_t first = 0; first < end; first += kTileRows) {
    __syncthreads();  // the tiles are still being read, or the queries written
    keys.load(k.head(b, g), k.stride[2], k.stride[3], first, p.Lk, p.D);
    values.load(v.head(b, g), v.stride[2], v.stride[3], first, p.Lk, p.D);
    __syncthreads();
    Scores s = {};
    multiply_rows(s, queries, keys, at);
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      float top = kNone;
#pragma unroll
      for (int j = 0; j < kEach; ++j) {
        const std::int64_t key = first + at.column(j);
        s[i][j] = score_of(p, b, h, work.first + at.row(i), key, key < seen[i], s[i][j]);
        top = Max<float>::join(top, s[i][j]);
      }
      top = Max<float>::join(largest[i], of_row<Max<float>>(top));
      const float keep = largest[i] == kNone ? 0.0f : ::expf(largest[i] - top);
      largest[i] = top;
      float added = 0;
#pragma unroll
      for (int j = 0; j < kEach; ++j) {
        s[i][j] = s[i][j] == kNone ? 0.0f : ::expf(s[i][j] - top);
        added += s[i][j];
      }
      sum[i] = sum[i] * keep + of_row<Sum<float>>(added);
#pragma unroll
      for (float& t : total.of[i]) t *= keep;
    }
    share(shares, s, at);
    total.add(shares, values, at);
  }
  float factor[kEach];
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    factor[i] = sum[i] == 0 ? 0 : 1 / sum[i];
    const std::int64_t row = work.first + at.row(i);
    if (at.across == 0 && row < p.Lq) {
      lse[(b * p.H + h) * p.Lq + row] = largest[i] + ::logf(sum[i]);
    }
  }
  total.store(y.head(b, h), y.stride[2], y.stride[3], work.first, p.Lq, p.D, factor, at);
}

// p_ij from a score and the query's log-sum-exp; 0 for a query that saw nothing.
__device__ inline float share_of(float score, float lse) {
  return score == kNone || lse == kNone ? 0.0f : ::expf(score - lse);
}

// dq of 64 queries.
template <int kD>
__global__ void __launch_bounds__(kThreads, kBlocks<kD>)
    backward_queries(AttentionShape<float> p, HeadsOf<const float> q, HeadsOf<const float> k,
                     HeadsOf<const float> v, HeadsOf<const float> dy, const float* lse,
                     const float* delta, HeadsOf<float> dq) {
  const Place at;
  const BlockWork work(p.H, tiles(p.Lq), p.causal);
  const std::int64_t b = work.b, h = work.h, g = p.key_head(h);
  const Tile<kD> queries{dynamic_shared<float>()}, gradients{queries.end()};
  const Tile<kD> keys{gradients.end()}, values{keys.end()};
  const Tile<kTileRows> weights{values.end()};
  queries.load(q.head(b, h), q.stride[2], q.stride[3], work.first, p.Lq, p.D);
  gradients.load(dy.head(b, h), dy.stride[2], dy.stride[3], work.first, p.Lq, p.D);

  std::int64_t seen[kEach];
  float row_lse[kEach], row_delta[kEach];
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const std::int64_t row = work.first + at.row(i);
    seen[i] = p.seen(b, row);
    row_lse[i] = row < p.Lq ? lse[(b * p.H + h) * p.Lq + row] : kNone;
    row_delta[i] = row < p.Lq ? delta[(b * p.H + h) * p.Lq + row] : 0.0f;
  }
  const std::int64_t end = keys_of_tile(p, b, work.first);
  Sums<kD> total;
  for (std::int64_t first = 0; first < end; first += kTileRows) {
    __syncthreads();
    keys.load(k.head(b, g), k.stride[2], k.stride[3], first, p.Lk, p.D);
    values.load(v.head(b, g), v.stride[2], v.stride[3], first, p.Lk, p.D);
    __syncthreads();
    Scores s = {}, dp = {};
    multiply_rows(s, queries, keys, at);
    multiply_rows(dp, gradients, values, at);
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
#pragma unroll
      for (int j = 0; j < kEach; ++j) {
        const std::int64_t key = first + at.column(j);
        const float score = score_of(p, b, h, work.first + at.row(i), key, key < seen[i], s[i][j]);
        s[i][j] = share_of(score, row_lse[i]) * (dp[i][j] - row_delta[i]);
      }
    }
    share(weights, s, at);
    total.add(weights, keys, at);
  }
  float factor[kEach];
#pragma unroll
  for (float& f : factor) f = p.scale;
  total.store(dq.head(b, h), dq.stride[2], dq.stride[3], work.first, p.Lq, p.D, factor, at);
}

// dk and dv of 64 keys; the queries of every head that reads them pass by. Rows are keys here,
// columns queries.
template <int kD>
__global__ void __launch_bounds__(kThreads, kBlocks<kD>)
    backward_keys(AttentionShape<float> p, HeadsOf<const float> q, HeadsOf<const float> k,
                  HeadsOf<const float> v, HeadsOf<const float> dy, const float* lse,
                  const float* delta, HeadsOf<float> dk, HeadsOf<float> dv) {
  const Place at;
  const BlockWork work(p.Hkv, tiles(p.Lk), false);
  const std::int64_t b = work.b, g = work.h, group = p.H / p.Hkv;
  const Tile<kD> keys{dynamic_shared<float>()}, values{keys.end()};
  const Tile<kD> queries{values.end()}, gradients{queries.end()};
  const Tile<kTileRows> weights{gradients.end()};
  keys.load(k.head(b, g), k.stride[2], k.stride[3], work.first, p.Lk, p.D);
  values.load(v.head(b, g), v.stride[2], v.stride[3], work.first, p.Lk, p.D);

  // With a causal mask earlier queries see none of these keys.
  const std::int64_t ahead = work.first - (p.Lk - p.Lq);
  const std::int64_t start = p.causal && ahead > 0 ? ahead / kTileRows * kTileRows : 0;
  Sums<kD> of_keys, of_values;
  for (std::int64_t h = g * group; h < (g + 1) * group; ++h) {
    const std::int64_t rows_of_head = (b * p.H + h) * p.Lq;
    for (std::int64_t first = start; first < p.Lq; first += kTileRows) {
      __syncthreads();
      queries.load(q.head(b, h), q.stride[2], q.stride[3], first, p.Lq, p.D);
      gradients.load(dy.head(b, h), dy.stride[2], dy.stride[3], first, p.Lq, p.D);
      __syncthreads();
      Scores s = {}, dp = {};
      multiply_rows(s, keys, queries, at);
      multiply_rows(dp, values, gradients, at);
#pragma unroll
      for (int j = 0; j < kEach; ++j) {
        const std::int64_t query = first + at.column(j), seen = p.seen(b, query);
        const float of_query = seen > 0 ? lse[rows_of_head + query] : kNone;
        const float minus = seen > 0 ? delta[rows_of_head + query] : 0.0f;
#pragma unroll
        for (int i = 0; i < kEach; ++i) {
          const std::int64_t key = work.first + at.row(i);
          const float score = score_of(p, b, h, query, key, key < seen, s[i][j]);
          s[i][j] = share_of(score, of_query);
          dp[i][j] = s[i][j] == 0 ? 0.0f : s[i][j] * (dp[i][j] - minus);
        }
      }
      share(weights, s, at);
      of_values.add(weights, gradients, at);
      share(weights, dp, at);
      of_keys.add(weights, queries, at);
    }
  }
  float scale[kEach], one[kEach];
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    scale[i] = p.scale;
    one[i] = 1;
  }
  of_keys.store(dk.head(b, g), dk.stride[2], dk.stride[3], work.first, p.Lk, p.D, scale, at);
  of_values.store(dv.head(b, g), dv.stride[2], dv.stride[3], work.first, p.Lk, p.D, one, at);
}

// Starts `kernel` with shared memory for `count` tiles of kD columns and one of weights.
template <class... Params, class... Args>
void launch_blocks(std::int64_t blocks, int count, int kD, void (*kernel)(Params...),
                   Args... args) {
  if (blocks == 0) return;
  const int columns = count * (kD + kPack) + kTileRows + kPack;
  launch_kernel(kernel, Dim3{static_cast<unsigned>(blocks)}, Dim3{kThreads},
                static_cast<std::size_t>(kTileRows * columns) * sizeof(float), current_stream(),
                args...);
}

// Calls f(kD) for the head size, rounded up.
template <class F>
void with_head_size(const Operand& q, F&& f) {
  if (q.sizes[3] <= 32) return f(std::integral_constant<int, 32>{});
  if (q.sizes[3] <= 64) return f(std::integral_constant<int, 64>{});
  f(std::integral_constant<int, 128>{});
}

}  // namespace

void attention_tiled(const AttentionArgs& a) {
  with_head_size(a.q, [&]<int kD>(std::integral_constant<int, kD>) {
    const AttentionShape<float> p(a);
    launch_blocks(p.B * p.H * tiles(p.Lq), 3, kD, forward<kD>, p, heads_of<const float>(a.q),
                  heads_of<const float>(a.k), heads_of<const float>(a.v), heads_of<float>(a.y),
                  a.lse.as<float>());
  });
}

void attention_tiled_backward(const AttentionBackwardArgs& a, const float* delta) {
  with_head_size(a.q, [&]<int kD>(std::integral_constant<int, kD>) {
    const AttentionShape<float> p(a);
    const HeadsOf<const float> q = heads_of<const float>(a.q), k = heads_of<const float>(a.k);
    const HeadsOf<const float> v = heads_of<const float>(a.v), dy = heads_of<const float>(a.dy);
    launch_blocks(p.B * p.H * tiles(p.Lq), 4, kD, backward_queries<kD>, p, q, k, v, dy,
                  a.lse.as<float>(), delta, heads_of<float>(a.dq));
    launch_blocks(p.B * p.Hkv * tiles(p.Lk), 4, kD, backward_keys<kD>, p, q, k, v, dy,
                  a.lse.as<float>(), delta, heads_of<float>(a.dk), heads_of<float>(a.dv));
  });
}

}  // namespace athanor::cuda
