// Attention of f32 by tiles in shared memory (after FlashAttention-2; Dao 2023), with ordinary
// multiply-adds: f32 keeps all its bits. The scheme is that of attention_tensor_core.cu: a block's
// queries stay while tiles of keys pass by; backward runs once by queries for dq and once by keys
// for dk and dv, so that every gradient has one owner. Passing tiles are copied while the products
// of the tile before run. Scores are kept in powers of two: one multiply-add and one exp2 a share.
#include "tensor/backend/cuda/attention_tile.cuh"

namespace athanor::cuda {
namespace {

constexpr float kNone = kLowest<float>, kInfinity = -kNone;
constexpr float kLog2OfE = 1.44269504088896340736f, kLogOf2 = 0.69314718055994530942f;

// Turns products of queries and keys into scores, in powers of two; minus infinity for a key that
// the query does not see. `all`: every query sees every key, without a mask. Rows are the queries,
// or the keys.
template <bool kQueryRows, class S>
__device__ inline void to_scores(float (&s)[S::kRows][S::kColumns], const AttentionShape<float>& p,
                                 std::int64_t b, std::int64_t h, std::int64_t first_query,
                                 std::int64_t first_key, bool all, const Place<S>& at) {
  const float factor = p.scale * kLog2OfE;
  if (all) {
#pragma unroll
    for (int i = 0; i < S::kRows; ++i) {
#pragma unroll
      for (int j = 0; j < S::kColumns; ++j) s[i][j] *= factor;
    }
    return;
  }
#pragma unroll
  for (int i = 0; i < S::kRows; ++i) {
#pragma unroll
    for (int j = 0; j < S::kColumns; ++j) {
      const std::int64_t query = first_query + (kQueryRows ? at.row(i) : at.column(j));
      const std::int64_t key = first_key + (kQueryRows ? at.column(j) : at.row(i));
      s[i][j] *= factor;
      if (key >= p.seen(b, query)) {
        s[i][j] = kNone;
      } else if (p.mask.data) {
        s[i][j] += p.mask_at(b, h, query, key) * kLog2OfE;
      }
    }
  }
}

// Keys that one of a tile's queries sees: later queries see no fewer, but those outside none.
__device__ inline std::int64_t most_seen(const AttentionShape<float>& p, std::int64_t b,
                                         std::int64_t first, int rows) {
  const std::int64_t end = first + rows;
  return p.seen(b, (end < p.Lq ? end : p.Lq) - 1);
}
// Keys that all of a tile's queries see, without a mask's say.
__device__ inline std::int64_t least_seen(const AttentionShape<float>& p, std::int64_t b,
                                          std::int64_t first, int rows) {
  return p.mask.data || first + rows > p.Lq ? 0 : p.seen(b, first);
}

// What a query's shares are divided by, in powers of two, from its log-sum-exp: infinity, which
// makes its shares 0, for a query that saw nothing.
__device__ inline float divisor_of(float lse) { return lse == kNone ? kInfinity : lse * kLog2OfE; }

template <class S>
__global__ void __launch_bounds__(S::kThreads, S::kBlocks)
    forward(AttentionShape<float> p, HeadsOf<const float> q, HeadsOf<const float> k,
            HeadsOf<const float> v, HeadsOf<float> y, float* lse) {
  const Place<S> at;
  const BlockWork work(p.H, tiles(p.Lq, S::kOwn), p.causal, S::kOwn);
  const std::int64_t b = work.b, h = work.h, g = p.key_head(h);
  const std::int64_t end = most_seen(p, b, work.first, S::kOwn);
  const std::int64_t by_all = least_seen(p, b, work.first, S::kOwn);
  const Tile<S::kOwn, S::kD> queries{dynamic_shared<float>()};
  const Tile<S::kPass, S::kD> keys{queries.end()}, values{keys.end()};
  const Shares<S> shares{values.end()};
  const auto start = [&](const Tile<S::kPass, S::kD>& tile, const HeadsOf<const float>& x,
                         std::int64_t first) {
    if (first < end) {
      tile.template copy<S::kThreads>(x.head(b, g), x.stride[2], x.stride[3], first, p.Lk, p.D);
    }
    end_batch();
  };
  queries.template copy<S::kThreads>(q.head(b, h), q.stride[2], q.stride[3], work.first, p.Lq, p.D);
  start(keys, k, 0);
  start(values, v, 0);

  float largest[S::kRows], sum[S::kRows];  // the sum over the thread's own columns
#pragma unroll
  for (int i = 0; i < S::kRows; ++i) {
    largest[i] = kNone;
    sum[i] = 0;
  }
  Results<S> total;
  for (std::int64_t first = 0; first < end; first += S::kPass) {
    float s[S::kRows][S::kColumns], top[S::kRows];
    wait_for_copies<1>();
    multiply_rows<S>(s, queries, keys, at);
    __syncthreads();
    start(keys, k, first + S::kPass);
    to_scores<true>(s, p, b, h, work.first, first, first + S::kPass <= by_all, at);
#pragma unroll
    for (int i = 0; i < S::kRows; ++i) {
      top[i] = largest[i];
#pragma unroll
      for (float score : s[i]) top[i] = ::fmaxf(top[i], score);
    }
    largest_of_rows(top);
#pragma unroll
    for (int i = 0; i < S::kRows; ++i) {
      const float base = top[i] == kNone ? 0.0f : top[i], keep = power_of_two(largest[i] - base);
      largest[i] = top[i];
      sum[i] *= keep;
#pragma unroll
      for (int j = 0; j < S::kColumns; ++j) {
        s[i][j] = power_of_two(s[i][j] - base);
        sum[i] += s[i][j];
      }
#pragma unroll
      for (float& t : total.of[i]) t *= keep;
    }
    share(shares, s, at);
    wait_for_copies<1>();
    total.add(shares, values, at);
    __syncthreads();
    start(values, v, first + S::kPass);
  }
  wait_for_copies<0>();
  sum_of_rows(sum);
#pragma unroll
  for (int i = 0; i < S::kRows; ++i) {
    const std::int64_t row = work.first + at.row(i);
    if (at.across == 0 && row < p.Lq) {
      lse[(b * p.H + h) * p.Lq + row] = (largest[i] + ::log2f(sum[i])) * kLogOf2;
    }
    sum[i] = sum[i] == 0 ? 0 : 1 / sum[i];
  }
  total.store(y.head(b, h), y.stride[2], y.stride[3], work.first, p.Lq, p.D, sum, at);
}

// dq of the block's queries.
template <class S>
__global__ void __launch_bounds__(S::kThreads, S::kBlocks)
    backward_queries(AttentionShape<float> p, HeadsOf<const float> q, HeadsOf<const float> k,
                     HeadsOf<const float> v, HeadsOf<const float> dy, const float* lse,
                     const float* delta, HeadsOf<float> dq) {
  const Place<S> at;
  const BlockWork work(p.H, tiles(p.Lq, S::kOwn), p.causal, S::kOwn);
  const std::int64_t b = work.b, h = work.h, g = p.key_head(h);
  const std::int64_t end = most_seen(p, b, work.first, S::kOwn);
  const std::int64_t by_all = least_seen(p, b, work.first, S::kOwn);
  const Tile<S::kOwn, S::kD> queries{dynamic_shared<float>()}, gradients{queries.end()};
  const Tile<S::kPass, S::kD> keys{gradients.end()}, values{keys.end()};
  const Shares<S> shares{values.end()};
  const auto start = [&](const Tile<S::kPass, S::kD>& tile, const HeadsOf<const float>& x,
                         std::int64_t first) {
    if (first < end) {
      tile.template copy<S::kThreads>(x.head(b, g), x.stride[2], x.stride[3], first, p.Lk, p.D);
    }
    end_batch();
  };
  queries.template copy<S::kThreads>(q.head(b, h), q.stride[2], q.stride[3], work.first, p.Lq, p.D);
  gradients.template copy<S::kThreads>(dy.head(b, h), dy.stride[2], dy.stride[3], work.first, p.Lq,
                                       p.D);
  start(values, v, 0);
  start(keys, k, 0);

  float divisor[S::kRows], row_delta[S::kRows];
#pragma unroll
  for (int i = 0; i < S::kRows; ++i) {
    const std::int64_t row = work.first + at.row(i), of_row = (b * p.H + h) * p.Lq + row;
    divisor[i] = row < p.Lq ? divisor_of(lse[of_row]) : kInfinity;
    row_delta[i] = row < p.Lq ? delta[of_row] : 0.0f;
  }
  Results<S> total;
  for (std::int64_t first = 0; first < end; first += S::kPass) {
    float s[S::kRows][S::kColumns], dp[S::kRows][S::kColumns];
    wait_for_copies<1>();
    multiply_rows<S>(dp, gradients, values, at);
    wait_for_copies<0>();
    start(values, v, first + S::kPass);
    multiply_rows<S>(s, queries, keys, at);
    to_scores<true>(s, p, b, h, work.first, first, first + S::kPass <= by_all, at);
#pragma unroll
    for (int i = 0; i < S::kRows; ++i) {
#pragma unroll
      for (int j = 0; j < S::kColumns; ++j) {
        const float part = power_of_two(s[i][j] - divisor[i]);
        s[i][j] = part == 0 ? 0.0f : part * (dp[i][j] - row_delta[i]);
      }
    }
    share(shares, s, at);
    total.add(shares, keys, at);
    __syncthreads();
    start(keys, k, first + S::kPass);
  }
  wait_for_copies<0>();
  float factor[S::kRows];
#pragma unroll
  for (float& f : factor) f = p.scale;
  total.store(dq.head(b, h), dq.stride[2], dq.stride[3], work.first, p.Lq, p.D, factor, at);
}

// dk and dv of the block's keys; the queries of every head that reads them pass by. Rows are keys
// here, columns queries.
template <class S>
__global__ void __launch_bounds__(S::kThreads, S::kBlocks)
    backward_keys(AttentionShape<float> p, HeadsOf<const float> q, HeadsOf<const float> k,
                  HeadsOf<const float> v, HeadsOf<const float> dy, const float* lse,
                  const float* delta, HeadsOf<float> dk, HeadsOf<float> dv) {
  const Place<S> at;
  const BlockWork work(p.Hkv, tiles(p.Lk, S::kOwn), false, S::kOwn);
  const std::int64_t b = work.b, g = work.h, group = p.H / p.Hkv;
  const Tile<S::kOwn, S::kD> keys{dynamic_shared<float>()}, values{keys.end()};
  const Tile<S::kPass, S::kD> queries{values.end()}, gradients{queries.end()};
  const Shares<S> shares{gradients.end()};
  // With a causal mask earlier queries see none of these keys.
  const std::int64_t ahead = work.first - (p.Lk - p.Lq);
  const std::int64_t begin = p.causal && ahead > 0 ? ahead / S::kPass * S::kPass : 0;
  const std::int64_t end_head = begin < p.Lq ? (g + 1) * group : 0;
  const auto start = [&](const Tile<S::kPass, S::kD>& tile, const HeadsOf<const float>& x,
                         std::int64_t h, std::int64_t first) {
    if (first >= p.Lq) {
      ++h;
      first = begin;
    }
    if (h < end_head) {
      tile.template copy<S::kThreads>(x.head(b, h), x.stride[2], x.stride[3], first, p.Lq, p.D);
    }
    end_batch();
  };
  keys.template copy<S::kThreads>(k.head(b, g), k.stride[2], k.stride[3], work.first, p.Lk, p.D);
  values.template copy<S::kThreads>(v.head(b, g), v.stride[2], v.stride[3], work.first, p.Lk, p.D);
  start(queries, q, g * group, begin);
  start(gradients, dy, g * group, begin);

  Results<S> of_keys, of_values;
  for (std::int64_t h = g * group; h < end_head; ++h) {
    const std::int64_t of_head = (b * p.H + h) * p.Lq;
    for (std::int64_t first = begin; first < p.Lq; first += S::kPass) {
      float s[S::kRows][S::kColumns], dp[S::kRows][S::kColumns];
      float divisor[S::kColumns], minus[S::kColumns];
#pragma unroll
      for (int j = 0; j < S::kColumns; ++j) {
        const std::int64_t query = first + at.column(j);
        divisor[j] = query < p.Lq ? divisor_of(lse[of_head + query]) : kInfinity;
        minus[j] = query < p.Lq ? delta[of_head + query] : 0.0f;
      }
      const bool all = work.first + S::kOwn <= least_seen(p, b, first, S::kPass);
      wait_for_copies<0>();
      multiply_rows<S>(s, keys, queries, at);
      to_scores<false>(s, p, b, h, first, work.first, all, at);
#pragma unroll
      for (int i = 0; i < S::kRows; ++i) {
#pragma unroll
        for (int j = 0; j < S::kColumns; ++j) s[i][j] = power_of_two(s[i][j] - divisor[j]);
      }
      share(shares, s, at);
      of_values.add(shares, gradients, at);
      multiply_rows<S>(dp, values, gradients, at);
      __syncthreads();
      start(gradients, dy, h, first + S::kPass);
      shares_to_gradients<S>(dp, shares, minus, at);
      share(shares, dp, at);
      of_keys.add(shares, queries, at);
      __syncthreads();
      start(queries, q, h, first + S::kPass);
    }
  }
  wait_for_copies<0>();
  float scale[S::kRows], one[S::kRows];
#pragma unroll
  for (int i = 0; i < S::kRows; ++i) {
    scale[i] = p.scale;
    one[i] = 1;
  }
  of_keys.store(dk.head(b, g), dk.stride[2], dk.stride[3], work.first, p.Lk, p.D, scale, at);
  of_values.store(dv.head(b, g), dv.stride[2], dv.stride[3], work.first, p.Lk, p.D, one, at);
}

// Starts `kernel` for every tile of `rows` rows of `heads` heads; `own` and `passing` tiles of each
// kind in shared memory.
template <class S, class... Params, class... Args>
void launch_tiles(std::int64_t heads, std::int64_t rows, int own, int passing,
                  void (*kernel)(Params...), Args... args) {
  const std::int64_t blocks = heads * tiles(rows, S::kOwn);
  if (blocks == 0) return;
  const int floats = own * Tile<S::kOwn, S::kD>::kFloats +
                     passing * Tile<S::kPass, S::kD>::kFloats + Shares<S>::kFloats;
  launch_kernel(kernel, Dim3{static_cast<unsigned>(blocks)}, Dim3{S::kThreads},
                static_cast<std::size_t>(floats) * sizeof(float), current_stream(), args...);
}

// Calls f(shape) for the head size, rounded up: 256 threads with 4 x 4 scores each.
template <class F>
void with_shape(const Operand& q, F&& f) {
  if (q.sizes[3] <= 32) return f(BlockShape<32, 64, 64, 4, 2>{});
  if (q.sizes[3] <= 64) return f(BlockShape<64, 64, 64, 4, 2>{});
  f(BlockShape<128, 64, 64, 4, 1>{});
}
// Backward, 8 x 4 scores pay where 128 own rows a block give most multiprocessors one.
template <class F>
void with_backward_shape(const Operand& q, std::int64_t heads, std::int64_t rows, F&& f) {
  const std::int64_t blocks = heads * tiles(rows, 128);
  const bool large = rows > 64 && blocks * 4 >= std::int64_t{device_limits().multiprocessors} * 3;
  if (large && q.sizes[3] > 32 && q.sizes[3] <= 64) return f(BlockShape<64, 128, 64, 8, 1>{});
  with_shape(q, f);
}

}  // namespace

void attention_tiled(const AttentionArgs& a) {
  with_shape(a.q, [&]<class S>(S) {
    const AttentionShape<float> p(a);
    launch_tiles<S>(p.B * p.H, p.Lq, 1, 2, forward<S>, p, heads_of<const float>(a.q),
                    heads_of<const float>(a.k), heads_of<const float>(a.v), heads_of<float>(a.y),
                    a.lse.as<float>());
  });
}

void attention_tiled_backward(const AttentionBackwardArgs& a, const float* delta) {
  const AttentionShape<float> p(a);
  const HeadsOf<const float> q = heads_of<const float>(a.q), k = heads_of<const float>(a.k);
  const HeadsOf<const float> v = heads_of<const float>(a.v), dy = heads_of<const float>(a.dy);
  const float* lse = a.lse.as<float>();
  with_backward_shape(a.q, p.B * p.H, p.Lq, [&]<class S>(S) {
    launch_tiles<S>(p.B * p.H, p.Lq, 2, 2, backward_queries<S>, p, q, k, v, dy, lse, delta,
                    heads_of<float>(a.dq));
  });
  with_backward_shape(a.q, p.B * p.Hkv, p.Lk, [&]<class S>(S) {
    launch_tiles<S>(p.B * p.Hkv, p.Lk, 2, 2, backward_keys<S>, p, q, k, v, dy, lse, delta,
                    heads_of<float>(a.dk), heads_of<float>(a.dv));
  });
}

}  // namespace athanor::cuda
