// Attention backward: scores are computed anew for one tile of queries and keys at a time.
//
// A task owns one key head and a chunk of its keys: it adds up their dk and dv alone. With several
// chunks, each has its own part of dq; the parts are added in the order of the chunks, so that the
// bits do not depend on the number of threads.
#include <bit>
#include <cmath>
#include <limits>
#include <memory>

#include "tensor/backend/attention_args.h"
#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/backend/cpu/scratch.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"
#include "tensor/backend/cpu/row.h"

#include "tensor/backend/cpu/micro_gemm.h"

#include "tensor/backend/cpu/attention_tile.h"

namespace {

// Tasks wanted, so that a few threads share the work evenly, and keys that a task has at least.
constexpr std::int64_t kKeyTasks = 8;
constexpr std::int64_t kMinChunk = 3 * kKeyTile;

struct Chunks {
  std::int64_t size, count;

  Chunks(std::int64_t key_heads, std::int64_t Lk) {
    std::int64_t wanted = (kKeyTasks + key_heads - 1) / key_heads;
    wanted = larger(1, smaller(wanted, Lk / kMinChunk));
    size = (Lk + wanted - 1) / wanted;
    size = (size + kKeyTile - 1) / kKeyTile * kKeyTile;
    count = (Lk + size - 1) / size;
  }
};

// One task's working memory. Keys are those of the chunk.
template <class T>
struct BackwardBuffers {
  std::int64_t width;
  T *k_strips, *v_strips, *k;  // keys and values transposed; keys [keys, width]
  T *dk, *dv;                  // [keys, width]
  T *q, *dy, *dq;              // a tile of queries [kQueryTile, width]; q times scale
  T *p, *ds;                   // [kQueryTile, kKeyTile]
  T *lse, *delta;              // by query of the tile

  BackwardBuffers(std::int64_t keys, std::int64_t D) : width(padded<T>(D)) {
    const std::int64_t strips = padded<T>(keys) * D, rows = keys * width;
    const std::int64_t tile = kQueryTile * width, scores = kQueryTile * kKeyTile;
    ScratchParts<T> parts(2 * strips + 3 * rows + 3 * tile + 2 * scores + 2 * kQueryTile, 12);
    k_strips = parts.take(strips);
    v_strips = parts.take(strips);
    k = parts.take(rows);
    dk = parts.take(rows);
    dv = parts.take(rows);
    q = parts.take(tile);
    dy = parts.take(tile);
    dq = parts.take(tile);
    p = parts.take(scores);
    ds = parts.take(scores);
    lse = parts.take(kQueryTile);
    delta = parts.take(kQueryTile);
  }
};

// The tile's queries, dy, lse and delta = dy . y.
template <class S, class T>
void load_queries(const AttentionBackwardArgs& a, std::int64_t b, std::int64_t h,
                  std::int64_t first, std::int64_t rows, const BackwardBuffers<T>& buffers) {
  const std::int64_t D = a.q.sizes[3], width = buffers.width;
  const HeadView<const S> q(a.q, b, h), dy(a.dy, b, h), y(a.y, b, h);
  pack_rows<T>(q.at(first), rows, D, q.row, q.column, static_cast<T>(a.scale), buffers.q, width);
  pack_rows<T>(dy.at(first), rows, D, dy.row, dy.column, T(1), buffers.dy, width);
  const T* lse = a.lse.as<T>() + (b * a.q.sizes[1] + h) * a.q.sizes[2] + first;
  for (std::int64_t r = 0; r < rows; ++r) {
    buffers.delta[r] = dot_of(static_cast<const T*>(buffers.dy + r * width),
                              static_cast<const S*>(y.at(first + r)), D, y.column);
    // A query that saw no key: p = exp(s - inf) = 0.
    const T infinity = std::numeric_limits<T>::infinity();
    buffers.lse[r] = lse[r] == -infinity ? infinity : lse[r];
  }
  for (std::int64_t i = 0; i < rows * width; ++i) buffers.dq[i] = T(0);
}

// p = exp(s - lse) and ds = p (dp - delta) for one query; on entry p holds s and ds holds dp. Both
// have room for whole vectors.
template <class T>
void score_gradients(T* __restrict p, T* __restrict ds, std::int64_t seen, std::int64_t count,
                     T lse, T delta) {
  constexpr std::int64_t W = VectorOf<T>::lanes;
  const std::int64_t whole = seen / W, end = (seen + W - 1) / W * W;
  const auto step = [&]<int N>(std::int64_t v) {
    const std::int64_t c = v * W;
    typename VectorOf<T>::type e[N];
    ATHANOR_UNROLL
    for (int i = 0; i < N; ++i) e[i] = load_lanes(p + c + i * W) - lse;
    exp_below_one(e);
    ATHANOR_UNROLL
    for (int i = 0; i < N; ++i) {
      store_lanes(p + c + i * W, e[i]);
      store_lanes(ds + c + i * W, e[i] * (load_lanes(ds + c + i * W) - delta));
    }
  };
  for_vectors<2>(whole, step);
  if (whole * W < end) {
    T *const last = p + whole * W, *const ds_last = ds + whole * W;
    step.template operator()<1>(whole);
    store_lanes(last, first_lanes<T>(load_lanes(last), seen - whole * W, T(0)));
    store_lanes(ds_last, first_lanes<T>(load_lanes(ds_last), seen - whole * W, T(0)));
  }
  for (std::int64_t c = end; c < count; ++c) p[c] = ds[c] = T(0);
}

// Adds what queries [first, first + rows) of head h and the chunk's keys [begin, end) give.
template <class S, class T>
void backward_tile(const AttentionBackwardArgs& a, const Sight& sight, std::int64_t b,
                   std::int64_t h, std::int64_t first, std::int64_t rows, std::int64_t begin,
                   std::int64_t end, const BackwardBuffers<T>& buffers) {
  const std::int64_t D = a.q.sizes[3], width = buffers.width;
  constexpr std::int64_t kStrip = kMicroColumns<T>;
  end = smaller(end, sight.end(first + rows - 1));
  for (std::int64_t j = begin; j < end; j += kKeyTile) {
    const std::int64_t count = smaller(kKeyTile, end - j), at = j - begin;
    const auto read = [](T* data) { return static_cast<const T*>(data); };
    const Strips<T> keys{buffers.k_strips + at * D, D * kStrip, kStrip};
    const Strips<T> values{buffers.v_strips + at * D, D * kStrip, kStrip};
    const Stairs stairs(sight, first, j);
    tile_gemm<false, false>(rows, padded<T>(count), D, read(buffers.q), width, keys, buffers.p,
                            kKeyTile, ResultStairs{stairs});
    tile_gemm<false, false>(rows, padded<T>(count), D, read(buffers.dy), width, values, buffers.ds,
                            kKeyTile, ResultStairs{stairs});
    for (std::int64_t r = 0; r < rows; ++r) {
      T *p = buffers.p + r * kKeyTile, *ds = buffers.ds + r * kKeyTile;
      const std::int64_t seen = larger(0, smaller(count, sight.end(first + r) - j));
      if (a.mask.data) add_mask<const S>(a.mask, b, h, first + r, j, seen, p);
      score_gradients(p, ds, seen, stairs.read(seen, count), buffers.lse[r], buffers.delta[r]);
    }
    const Strips<T> dy{buffers.dy, kStrip, width}, q{buffers.q, kStrip, width};
    const Strips<T> key_rows{buffers.k + at * width, kStrip, width};
    tile_gemm<true, true>(count, width, rows, read(buffers.p), kKeyTile, dy,
                          buffers.dv + at * width, width, TurnedStairs{stairs});
    tile_gemm<true, true>(count, width, rows, read(buffers.ds), kKeyTile, q,
                          buffers.dk + at * width, width, TurnedStairs{stairs});
    tile_gemm<false, true>(rows, width, count, read(buffers.ds), kKeyTile, key_rows, buffers.dq,
                           width, LeftStairs{stairs});
  }
}

// x [rows, D] of an operand = scale times rows of `width` values.
template <class S, class T>
void store_rows(const T* from, std::int64_t rows, std::int64_t D, std::int64_t width, T scale,
                const HeadView<S>& x, std::int64_t first) {
  for (std::int64_t r = 0; r < rows; ++r) {
    store_scaled(from + r * width, D, scale, x.at(first + r), x.column);
  }
}

// The keys [begin, end) of key head g; `parts` [B, H, Lq, D] holds the chunk's dq when there are
// several chunks.
template <class S>
void backward_chunk(const AttentionBackwardArgs& a, std::int64_t b, std::int64_t g,
                    std::int64_t begin, std::int64_t end, compute_t<S>* parts) {
  using T = compute_t<S>;
  const std::int64_t H = a.q.sizes[1], Lq = a.q.sizes[2], D = a.q.sizes[3];
  const std::int64_t group = H / a.k.sizes[1], keys = end - begin;
  const BackwardBuffers<T> buffers(keys, D);
  const std::int64_t width = buffers.width;
  const HeadView<const S> k(a.k, b, g), v(a.v, b, g);
  pack_transposed<T>(k.at(begin), keys, D, k.row, k.column, buffers.k_strips);
  pack_transposed<T>(v.at(begin), keys, D, v.row, v.column, buffers.v_strips);
  pack_rows<T>(k.at(begin), keys, D, k.row, k.column, T(1), buffers.k, width);
  for (std::int64_t i = 0; i < keys * width; ++i) buffers.dk[i] = buffers.dv[i] = T(0);
  const Sight sight(a, b);
  for (std::int64_t h = g * group; h < (g + 1) * group; ++h) {
    for (std::int64_t i = 0; i < Lq; i += kQueryTile) {
      const std::int64_t rows = smaller(kQueryTile, Lq - i);
      load_queries<S, T>(a, b, h, i, rows, buffers);
      backward_tile<S, T>(a, sight, b, h, i, rows, begin, end, buffers);
      const T scale = static_cast<T>(a.scale);
      if (!parts) {
        store_rows<S>(buffers.dq, rows, D, width, scale, HeadView<S>(a.dq, b, h), i);
        continue;
      }
      T* part = parts + ((b * H + h) * Lq + i) * D;
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t d = 0; d < D; ++d) part[r * D + d] = scale * buffers.dq[r * width + d];
      }
    }
  }
  store_rows<S>(buffers.dk, keys, D, width, T(1), HeadView<S>(a.dk, b, g), begin);
  store_rows<S>(buffers.dv, keys, D, width, T(1), HeadView<S>(a.dv, b, g), begin);
}

// dq = the sum of its parts [chunks, B, H, Lq, D], in order.
template <class S>
void add_parts(const AttentionBackwardArgs& a, const compute_t<S>* parts, std::int64_t chunks) {
  const std::int64_t H = a.q.sizes[1], Lq = a.q.sizes[2], D = a.q.sizes[3];
  const std::int64_t rows = a.q.sizes[0] * H * Lq, whole = rows * D;
  parallel_for(rows, row_grain(D * chunks), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t head = row / Lq;
      const HeadView<S> dq(a.dq, head / H, head % H);
      S* to = dq.at(row % Lq);
      for (std::int64_t d = 0; d < D; ++d) {
        compute_t<S> total = parts[row * D + d];
        for (std::int64_t c = 1; c < chunks; ++c) total += parts[c * whole + row * D + d];
        to[d * dq.column] = static_cast<S>(total);
      }
    }
  });
}

template <class S>
void backward_typed(const AttentionBackwardArgs& a) {
  const std::int64_t B = a.q.sizes[0], heads = a.k.sizes[1], Lk = a.k.sizes[2];
  const std::int64_t whole = a.q.numel();
  const Chunks chunks(B * heads, Lk);
  std::unique_ptr<compute_t<S>[]> parts;
  if (chunks.count > 1) {
    parts.reset(new compute_t<S>[static_cast<std::size_t>(chunks.count * whole)]);
  }
  parallel_chunks(B * heads * chunks.count, [&](std::int64_t task) {
    const std::int64_t chunk = task % chunks.count, head = task / chunks.count;
    const std::int64_t begin = chunk * chunks.size;
    backward_chunk<S>(a, head / heads, head % heads, begin, smaller(Lk, begin + chunks.size),
                      parts ? parts.get() + chunk * whole : nullptr);
  });
  if (parts) add_parts<S>(a, parts.get(), chunks.count);
}

}  // namespace

void attention_backward(const AttentionBackwardArgs& a) {
  visit_real(a.q.dtype, [&]<class S>(Tag<S>) { backward_typed<S>(a); });
}

#include "tensor/backend/cpu/isa_end.h"
