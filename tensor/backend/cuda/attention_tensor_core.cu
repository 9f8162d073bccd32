// Attention of f16 and bf16 on tensor cores (after FlashAttention-2; Dao 2023): tiles of 64 queries
// stay on the multiprocessor while the keys pass by, with online softmax. Backward computes the
// scores anew, once by queries for dq and once by keys for dk and dv, so that every gradient has
// one owner: no atomics, the same bits every time.
//
// A warp owns 16 rows of a tile. In its C fragments a lane holds rows g and g + 8 (g = lane / 4)
// and columns 2t, 2t + 1 (t = lane % 4) of each 8 columns: see mma.cuh.
#include "tensor/backend/cuda/attention.cuh"
#include "tensor/backend/cuda/mma.cuh"

namespace athanor::cuda {
namespace {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * kWarp;
constexpr int kRows = 16 * kWarps;  // of the tile that stays
static_assert(kRows == kTileRows);
constexpr int kPassing = 64;      // rows of the tiles that pass by, forward
constexpr int kPassingBack = 32;  // backward, where more has to be held
constexpr float kLog2e = 1.4426950408889634f;
constexpr float kNone = kLowest<float>;

// Copies rows first .. of x [rows, D] into the tile; what lies outside counts as 0.
template <class T, int kTileRows, int kD>
__device__ inline void load_tile(const Tile<T, kTileRows, kD>& tile, const T* x,
                                 std::int64_t row_stride, std::int64_t stride, std::int64_t first,
                                 std::int64_t rows, std::int64_t D) {
  constexpr int kPack = 8, kPacks = kD / kPack;
  const bool packs = stride == 1 && row_stride % kPack == 0 && D % kPack == 0 &&
                     reinterpret_cast<std::uintptr_t>(x) % 16 == 0;
  for (int e = static_cast<int>(threadIdx.x); e < kTileRows * kPacks; e += kThreads) {
    const int row = e / kPacks, column = e % kPacks * kPack;
    const T* from = x + (first + row) * row_stride + column * stride;
    Pack<T, kPack> pack;
    if (packs && first + row < rows && column < D) {
      pack = load_pack<kPack>(from);
    } else {
      for (int i = 0; i < kPack; ++i) {
        const bool inside = first + row < rows && column + i < D;
        pack.v[i] = inside ? from[i * stride] : narrow<T>(0.0f);
      }
    }
    *reinterpret_cast<Pack<T, kPack>*>(tile.data + row * tile.kStride + column) = pack;
  }
}

// Sums of 16 x (8 n) products: n C fragments.
template <int n>
struct Fragments {
  float c[n][4] = {};
};

// sums += a b^T: a's 16 rows from `row` of `left`, b's rows (the columns of the result) all of
// `right`; summed along kD.
template <class T, int kA, int kB, int kD>
__device__ inline void multiply_rows(Fragments<kB / 8>& sums, const Tile<T, kA, kD>& left, int row,
                                     const Tile<T, kB, kD>& right, int lane) {
#pragma unroll
  for (int k = 0; k < kD; k += 16) {
    std::uint32_t a[4];
    left.load_a(a, row, k, lane);
#pragma unroll
    for (int n = 0; n < kB; n += 16) {
      std::uint32_t b[4];
      right.load_b_rows(b, n, k, lane);
      multiply_add<T>(sums.c[n / 8], a, b[0], b[1]);
      multiply_add<T>(sums.c[n / 8 + 1], a, b[2], b[3]);
    }
  }
}

// sums [16, kD] += weights [16, kB] x [kB, kD], the weights rounded to T.
template <class T, int kB, int kD>
__device__ inline void multiply_weights(Fragments<kD / 8>& sums, const Fragments<kB / 8>& weights,
                                        const Tile<T, kB, kD>& x, int lane) {
#pragma unroll
  for (int k = 0; k < kB; k += 16) {
    const float(&low)[4] = weights.c[k / 8];
    const float(&high)[4] = weights.c[k / 8 + 1];
    const std::uint32_t a[4] = {pack_two<T>(low[0], low[1]), pack_two<T>(low[2], low[3]),
                                pack_two<T>(high[0], high[1]), pack_two<T>(high[2], high[3])};
#pragma unroll
    for (int n = 0; n < kD; n += 16) {
      std::uint32_t b[4];
      x.load_b_columns(b, k, n, lane);
      multiply_add<T>(sums.c[n / 8], a, b[0], b[1]);
      multiply_add<T>(sums.c[n / 8 + 1], a, b[2], b[3]);
    }
  }
}

// Writes rows row + g (and + 8) of `sums`, each times its factor, to y [rows, D].
template <class T, int kD>
__device__ inline void store_rows(const Fragments<kD / 8>& sums, T* y, std::int64_t row_stride,
                                  std::int64_t stride, std::int64_t row, std::int64_t rows,
                                  std::int64_t D, const float (&factor)[2], int lane) {
#pragma unroll
  for (int n = 0; n < kD / 8; ++n) {
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const std::int64_t r = row + lane / 4 + e / 2 * 8;
      const std::int64_t d = n * 8 + lane % 4 * 2 + e % 2;
      if (r < rows && d < D)
        y[r * row_stride + d * stride] = narrow<T>(sums.c[n][e] * factor[e / 2]);
    }
  }
}

// The join of a value over the four lanes that share rows.
template <class Join>
__device__ inline float of_row(float value) {
  value = Join::join(value, shuffle_xor(value, 1));
  return Join::join(value, shuffle_xor(value, 2));
}

// The scores in units of log2, for exp2: what is not seen is -inf.
template <class T>
__device__ inline float score_of(const AttentionShape<T>& p, std::int64_t b, std::int64_t h,
                                 std::int64_t i, std::int64_t j, bool seen, float product) {
  if (!seen) return kNone;
  float score = product * p.scale;
  if (p.mask.data) score += p.mask_at(b, h, i, j);
  return score * kLog2e;
}

template <class T, int kD>
__global__ void __launch_bounds__(kThreads)
    forward(AttentionShape<T> p, HeadsOf<const T> q, HeadsOf<const T> k, HeadsOf<const T> v,
            HeadsOf<T> y, float* lse) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp,
            warp = static_cast<int>(threadIdx.x) / kWarp;
  const BlockWork work(p.H, tiles(p.Lq), p.causal);
  const std::int64_t b = work.b, h = work.h, g = p.key_head(h), row = work.first + warp * 16;
  T* memory = dynamic_shared<T>();
  const Tile<T, kRows, kD> queries{memory};
  const Tile<T, kPassing, kD> keys{queries.data + queries.kElements};
  const Tile<T, kPassing, kD> values{keys.data + keys.kElements};
  load_tile(queries, q.head(b, h), q.stride[2], q.stride[3], work.first, p.Lq, p.D);

  std::int64_t seen[2], end = 0;
  for (int i = 0; i < 2; ++i) seen[i] = p.seen(b, row + lane / 4 + i * 8);
  for (std::int64_t i = work.first; i < work.first + kRows && i < p.Lq; ++i) {
    end = p.seen(b, i) > end ? p.seen(b, i) : end;
  }
  float largest[2] = {kNone, kNone}, sum[2] = {0, 0};
  Fragments<kD / 8> total;
  for (std::int64_t first = 0; first < end; first += kPassing) {
    __syncthreads();  // the tiles are still being read, or the queries written
    load_tile(keys, k.head(b, g), k.stride[2], k.stride[3], first, p.Lk, p.D);
    load_tile(values, v.head(b, g), v.stride[2], v.stride[3], first, p.Lk, p.D);
    __syncthreads();
    Fragments<kPassing / 8> s;
    multiply_rows(s, queries, warp * 16, keys, lane);
    float top[2] = {kNone, kNone};
#pragma unroll
    for (int n = 0; n < kPassing / 8; ++n) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const std::int64_t i = row + lane / 4 + e / 2 * 8;
        const std::int64_t j = first + n * 8 + lane % 4 * 2 + e % 2;
        s.c[n][e] = score_of(p, b, h, i, j, j < seen[e / 2], s.c[n][e]);
        top[e / 2] = Max<float>::join(top[e / 2], s.c[n][e]);
      }
    }
    float keep[2];
    for (int i = 0; i < 2; ++i) {
      top[i] = Max<float>::join(largest[i], of_row<Max<float>>(top[i]));
      keep[i] = largest[i] == kNone ? 0.0f : ::exp2f(largest[i] - top[i]);
      largest[i] = top[i];
    }
    float added[2] = {0, 0};
#pragma unroll
    for (int n = 0; n < kPassing / 8; ++n) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        float& share = s.c[n][e];
        share = share == kNone ? 0.0f : ::exp2f(share - top[e / 2]);
        added[e / 2] += share;
      }
    }
    for (int i = 0; i < 2; ++i) sum[i] = sum[i] * keep[i] + of_row<Sum<float>>(added[i]);
#pragma unroll
    for (int n = 0; n < kD / 8; ++n) {
#pragma unroll
      for (int e = 0; e < 4; ++e) total.c[n][e] *= keep[e / 2];
    }
    multiply_weights(total, s, values, lane);
  }
  const float factor[2] = {sum[0] == 0 ? 0 : 1 / sum[0], sum[1] == 0 ? 0 : 1 / sum[1]};
  store_rows<T, kD>(total, y.head(b, h), y.stride[2], y.stride[3], row, p.Lq, p.D, factor, lane);
  for (int i = 0; i < 2; ++i) {
    const std::int64_t at = row + lane / 4 + i * 8;
    if (lane % 4 == 0 && at < p.Lq) {
      lse[(b * p.H + h) * p.Lq + at] = largest[i] / kLog2e + ::log(sum[i]);
    }
  }
}

// p_ij from a score and the query's log-sum-exp; 0 for a query that saw nothing.
__device__ inline float share_of(float score, float lse) {
  return score == kNone || lse == kNone ? 0.0f : ::exp2f(score - lse * kLog2e);
}

// dq of 64 queries; tiles of 32 keys pass by.
template <class T, int kD>
__global__ void __launch_bounds__(kThreads)
    backward_queries(AttentionShape<T> p, HeadsOf<const T> q, HeadsOf<const T> k,
                     HeadsOf<const T> v, HeadsOf<const T> dy, const float* lse, const float* delta,
                     HeadsOf<T> dq) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp,
            warp = static_cast<int>(threadIdx.x) / kWarp;
  const BlockWork work(p.H, tiles(p.Lq), p.causal);
  const std::int64_t b = work.b, h = work.h, g = p.key_head(h), row = work.first + warp * 16;
  T* memory = dynamic_shared<T>();
  const Tile<T, kRows, kD> queries{memory};
  const Tile<T, kRows, kD> gradients{queries.data + queries.kElements};
  const Tile<T, kPassingBack, kD> keys{gradients.data + gradients.kElements};
  const Tile<T, kPassingBack, kD> values{keys.data + keys.kElements};
  load_tile(queries, q.head(b, h), q.stride[2], q.stride[3], work.first, p.Lq, p.D);
  load_tile(gradients, dy.head(b, h), dy.stride[2], dy.stride[3], work.first, p.Lq, p.D);

  std::int64_t seen[2], end = 0;
  float row_lse[2], row_delta[2];
  for (int i = 0; i < 2; ++i) {
    const std::int64_t at = row + lane / 4 + i * 8;
    seen[i] = p.seen(b, at);
    row_lse[i] = at < p.Lq ? lse[(b * p.H + h) * p.Lq + at] : kNone;
    row_delta[i] = at < p.Lq ? delta[(b * p.H + h) * p.Lq + at] : 0.0f;
  }
  for (std::int64_t i = work.first; i < work.first + kRows && i < p.Lq; ++i) {
    end = p.seen(b, i) > end ? p.seen(b, i) : end;
  }
  Fragments<kD / 8> total;
  for (std::int64_t first = 0; first < end; first += kPassingBack) {
    __syncthreads();
    load_tile(keys, k.head(b, g), k.stride[2], k.stride[3], first, p.Lk, p.D);
    load_tile(values, v.head(b, g), v.stride[2], v.stride[3], first, p.Lk, p.D);
    __syncthreads();
    Fragments<kPassingBack / 8> s, dp;
    multiply_rows(s, queries, warp * 16, keys, lane);
    multiply_rows(dp, gradients, warp * 16, values, lane);
#pragma unroll
    for (int n = 0; n < kPassingBack / 8; ++n) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const std::int64_t i = row + lane / 4 + e / 2 * 8;
        const std::int64_t j = first + n * 8 + lane % 4 * 2 + e % 2;
        const float score = score_of(p, b, h, i, j, j < seen[e / 2], s.c[n][e]);
        s.c[n][e] = share_of(score, row_lse[e / 2]) * (dp.c[n][e] - row_delta[e / 2]);
      }
    }
    multiply_weights(total, s, keys, lane);
  }
  const float factor[2] = {p.scale, p.scale};
  store_rows<T, kD>(total, dq.head(b, h), dq.stride[2], dq.stride[3], row, p.Lq, p.D, factor, lane);
}

// dk and dv of 64 keys; tiles of 32 queries of every head that reads them pass by. Rows are keys
// here, columns queries.
template <class T, int kD>
__global__ void __launch_bounds__(kThreads)
    backward_keys(AttentionShape<T> p, HeadsOf<const T> q, HeadsOf<const T> k, HeadsOf<const T> v,
                  HeadsOf<const T> dy, const float* lse, const float* delta, HeadsOf<T> dk,
                  HeadsOf<T> dv) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp,
            warp = static_cast<int>(threadIdx.x) / kWarp;
  const BlockWork work(p.Hkv, tiles(p.Lk), false);
  const std::int64_t b = work.b, g = work.h, group = p.H / p.Hkv, row = work.first + warp * 16;
  T* memory = dynamic_shared<T>();
  const Tile<T, kRows, kD> keys{memory};
  const Tile<T, kRows, kD> values{keys.data + keys.kElements};
  const Tile<T, kPassingBack, kD> queries{values.data + values.kElements};
  const Tile<T, kPassingBack, kD> gradients{queries.data + queries.kElements};
  load_tile(keys, k.head(b, g), k.stride[2], k.stride[3], work.first, p.Lk, p.D);
  load_tile(values, v.head(b, g), v.stride[2], v.stride[3], work.first, p.Lk, p.D);

  // With a causal mask earlier queries see none of these keys.
  const std::int64_t ahead = work.first - (p.Lk - p.Lq);
  const std::int64_t start = p.causal && ahead > 0 ? ahead / kPassingBack * kPassingBack : 0;
  Fragments<kD / 8> of_keys, of_values;
  for (std::int64_t h = g * group; h < (g + 1) * group; ++h) {
    const std::int64_t rows_of_head = (b * p.H + h) * p.Lq;
    for (std::int64_t first = start; first < p.Lq; first += kPassingBack) {
      __syncthreads();
      load_tile(queries, q.head(b, h), q.stride[2], q.stride[3], first, p.Lq, p.D);
      load_tile(gradients, dy.head(b, h), dy.stride[2], dy.stride[3], first, p.Lq, p.D);
      __syncthreads();
      Fragments<kPassingBack / 8> s, dp;
      multiply_rows(s, keys, warp * 16, queries, lane);
      multiply_rows(dp, values, warp * 16, gradients, lane);
#pragma unroll
      for (int n = 0; n < kPassingBack / 8; ++n) {
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          const std::int64_t j = row + lane / 4 + e / 2 * 8;
          const std::int64_t i = first + n * 8 + lane % 4 * 2 + e % 2;
          const bool seen = j < p.seen(b, i);
          const float score = score_of(p, b, h, i, j, seen, s.c[n][e]);
          const float share = seen ? share_of(score, lse[rows_of_head + i]) : 0.0f;
          s.c[n][e] = share;
          dp.c[n][e] = seen ? share * (dp.c[n][e] - delta[rows_of_head + i]) : 0.0f;
        }
      }
      multiply_weights(of_values, s, gradients, lane);
      multiply_weights(of_keys, dp, queries, lane);
    }
  }
  const float scale[2] = {p.scale, p.scale}, one[2] = {1, 1};
  store_rows<T, kD>(of_keys, dk.head(b, g), dk.stride[2], dk.stride[3], row, p.Lk, p.D, scale,
                    lane);
  store_rows<T, kD>(of_values, dv.head(b, g), dv.stride[2], dv.stride[3], row, p.Lk, p.D, one,
                    lane);
}

// Shared memory of `staying` tiles of 64 rows and two of `passing`.
std::size_t shared_bytes(int staying, int passing, int kD) {
  return static_cast<std::size_t>((staying * kRows + 2 * passing) * (kD + 8)) * 2;
}

template <class... Params, class... Args>
void launch_blocks(std::int64_t blocks, std::size_t bytes, void (*kernel)(Params...),
                   Args... args) {
  if (blocks == 0) return;
  launch_kernel(kernel, Dim3{static_cast<unsigned>(blocks)}, Dim3{kThreads}, bytes,
                current_stream(), args...);
}

// Calls f(Tag<T>, kD) for the element type and the head size, rounded up.
template <class F>
void choose(const Operand& q, F&& f) {
  const auto with_type = [&]<class T>(Tag<T> type) {
    if (q.sizes[3] <= 32) return f(type, std::integral_constant<int, 32>{});
    if (q.sizes[3] <= 64) return f(type, std::integral_constant<int, 64>{});
    f(type, std::integral_constant<int, 128>{});
  };
  if (q.dtype == DType::f16) return with_type(Tag<f16>{});
  with_type(Tag<bf16>{});
}

}  // namespace

void attention_tensor_core(const AttentionArgs& a) {
  choose(a.q, [&]<class T, int kD>(Tag<T>, std::integral_constant<int, kD>) {
    const AttentionShape<T> p(a);
    launch_blocks(p.B * p.H * tiles(p.Lq), shared_bytes(1, kPassing, kD), forward<T, kD>, p,
                  heads_of<const T>(a.q), heads_of<const T>(a.k), heads_of<const T>(a.v),
                  heads_of<T>(a.y), a.lse.as<float>());
  });
}

void attention_tensor_core_backward(const AttentionBackwardArgs& a, const float* delta) {
  choose(a.q, [&]<class T, int kD>(Tag<T>, std::integral_constant<int, kD>) {
    const AttentionShape<T> p(a);
    const HeadsOf<const T> q = heads_of<const T>(a.q), k = heads_of<const T>(a.k);
    const HeadsOf<const T> v = heads_of<const T>(a.v), dy = heads_of<const T>(a.dy);
    const std::size_t bytes = shared_bytes(2, kPassingBack, kD);
    launch_blocks(p.B * p.H * tiles(p.Lq), bytes, backward_queries<T, kD>, p, q, k, v, dy,
                  a.lse.as<float>(), delta, heads_of<T>(a.dq));
    launch_blocks(p.B * p.Hkv * tiles(p.Lk), bytes, backward_keys<T, kD>, p, q, k, v, dy,
                  a.lse.as<float>(), delta, heads_of<T>(a.dk), heads_of<T>(a.dv));
  });
}

}  // namespace athanor::cuda
