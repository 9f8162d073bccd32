// Attention forward with an online softmax (Milakov & Gimelshein 2018; Dao et al. 2022): scores
// exist for one tile of queries and keys at a time. Memory beyond the result is a copy of one
// head's keys and values for each thread.
#include <bit>
#include <cmath>
#include <limits>

#include "tensor/backend/attention_args.h"
#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/backend/cpu/scratch.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"
#include "tensor/backend/cpu/row.h"

#include "tensor/backend/cpu/micro_gemm.h"

#include "tensor/backend/cpu/attention_tile.h"

namespace {

// Queries that share one packing of the keys.
constexpr std::int64_t kQueryChunk = 10 * kQueryTile;

template <class T>
struct ForwardBuffers {
  std::int64_t width;    // D rounded up to whole strips
  T *k, *v, *q, *s, *o;  // strips of keys; values [Lk, width]; a tile's queries, scores, results
  T *largest, *total;    // by query of the tile

  ForwardBuffers(std::int64_t Lk, std::int64_t D) : width(padded<T>(D)) {
    const std::int64_t tile = kQueryTile * width;
    ScratchParts<T> parts(
        padded<T>(Lk) * D + Lk * width + 2 * tile + kQueryTile * kKeyTile + 2 * kQueryTile, 7);
    k = parts.take(padded<T>(Lk) * D);
    v = parts.take(Lk * width);
    q = parts.take(tile);
    o = parts.take(tile);
    s = parts.take(kQueryTile * kKeyTile);
    largest = parts.take(kQueryTile);
    total = parts.take(kQueryTile);
  }
};

// Turns the scores of one query over `seen` keys into exp(s - shift), moves its running largest
// score, total and result to the new shift, and sets the rest of `count` to 0. `s` has room for
// whole vectors.
template <class T>
void absorb_row(T* s, std::int64_t seen, std::int64_t count, T& largest, T& total, T* o,
                std::int64_t width) {
  using V = typename VectorOf<T>::type;
  constexpr std::int64_t W = VectorOf<T>::lanes;
  constexpr T kInfinity = std::numeric_limits<T>::infinity();
  const std::int64_t end = (seen + W - 1) / W * W;
  for (std::int64_t c = end; c < count; ++c) s[c] = T(0);
  if (seen == 0) return;
  // A NaN may get lost here: it comes back in the exponentials and reaches the total.
  V top_lanes = load_lanes(s + end - W);
  if (seen < end) {
    top_lanes = first_lanes<T>(top_lanes, seen - end + W, -kInfinity);
    store_lanes(s + end - W, top_lanes);
  }
  for (std::int64_t c = 0; c < end - W; c += W) {
    const V next = load_lanes(s + c);
    top_lanes = top_lanes > next ? top_lanes : next;
  }
  const T lanes_top = max_lanes<T>(top_lanes), top = lanes_top > largest ? lanes_top : largest;
  // All -inf so far: any finite shift gives 0 everywhere.
  const T shift = top == -kInfinity ? T(0) : top;
  // Before the first score there is nothing to keep.
  const bool moved = largest != top && largest != -kInfinity;
  const T keep = moved ? exp_below_one(largest - shift) : T(1);
  V sum{};
  for_vectors<2>(end / W, [&]<int N>(std::int64_t v) {
    T* const at = s + v * W;
    V e[N];
    ATHANOR_UNROLL
    for (int i = 0; i < N; ++i) e[i] = load_lanes(at + i * W) - shift;
    exp_below_one(e);
    ATHANOR_UNROLL
    for (int i = 0; i < N; ++i) {
      sum += e[i];
      store_lanes(at + i * W, e[i]);
    }
  });
  total = total * keep + sum_lanes<T>(sum);
  largest = top;
  if (!moved) return;
  for (std::int64_t d = 0; d < width; ++d) o[d] *= keep;
}

// Queries [first, first + rows) of batch b and head h.
template <class S, class T>
void attend_tile(const AttentionArgs& a, const Sight& sight, std::int64_t b, std::int64_t h,
                 std::int64_t first, std::int64_t rows, const ForwardBuffers<T>& buffers) {
  const std::int64_t D = a.q.sizes[3], width = buffers.width;
  const HeadView<const S> q(a.q, b, h);
  const HeadView<S> y(a.y, b, h);
  pack_rows<T>(q.at(first), rows, D, q.row, q.column, static_cast<T>(a.scale), buffers.q, width);
  for (std::int64_t i = 0; i < rows * width; ++i) buffers.o[i] = T(0);
  for (std::int64_t r = 0; r < rows; ++r) {
    buffers.largest[r] = -std::numeric_limits<T>::infinity();
    buffers.total[r] = T(0);
  }
  const std::int64_t end = sight.end(first + rows - 1);
  for (std::int64_t j = 0; j < end; j += kKeyTile) {
    const std::int64_t count = smaller(kKeyTile, end - j);
    const Stairs stairs(sight, first, j);
    const Strips<T> keys{buffers.k + j * D, D * kMicroColumns<T>, kMicroColumns<T>};
    tile_gemm<false, false>(rows, padded<T>(count), D, static_cast<const T*>(buffers.q), width,
                            keys, buffers.s, kKeyTile, ResultStairs{stairs});
    for (std::int64_t r = 0; r < rows; ++r) {
      T* s = buffers.s + r * kKeyTile;
      const std::int64_t seen = larger(0, smaller(count, sight.end(first + r) - j));
      if (a.mask.data) add_mask<const S>(a.mask, b, h, first + r, j, seen, s);
      absorb_row(s, seen, stairs.read(seen, count), buffers.largest[r], buffers.total[r],
                 buffers.o + r * width, width);
    }
    const Strips<T> values{buffers.v + j * width, kMicroColumns<T>, width};
    tile_gemm<false, true>(rows, width, count, static_cast<const T*>(buffers.s), kKeyTile, values,
                           buffers.o, width, LeftStairs{stairs});
  }
  T* lse = a.lse.as<T>() + (b * a.q.sizes[1] + h) * a.q.sizes[2] + first;
  for (std::int64_t r = 0; r < rows; ++r) {
    const T total = buffers.total[r], scale = total == T(0) ? T(0) : T(1) / total;
    store_scaled(static_cast<const T*>(buffers.o + r * width), D, scale, y.at(first + r), y.column);
    lse[r] =
        total == T(0) ? -std::numeric_limits<T>::infinity() : buffers.largest[r] + std::log(total);
  }
}

template <class S>
void attention_typed(const AttentionArgs& a) {
  using T = compute_t<S>;
  const std::int64_t H = a.q.sizes[1], Lq = a.q.sizes[2], D = a.q.sizes[3];
  const std::int64_t Lk = a.k.sizes[2], group = H / a.k.sizes[1];
  const std::int64_t chunks = (Lq + kQueryChunk - 1) / kQueryChunk;
  parallel_chunks(a.q.sizes[0] * H * chunks, [&](std::int64_t task) {
    const std::int64_t first = task % chunks * kQueryChunk, head = task / chunks;
    const std::int64_t b = head / H, h = head % H;
    const std::int64_t last = smaller(Lq, first + kQueryChunk);
    const Sight sight(a, b);
    const std::int64_t seen = sight.end(last - 1);
    const ForwardBuffers<T> buffers(Lk, D);
    const HeadView<const S> k(a.k, b, h / group), v(a.v, b, h / group);
    pack_transposed<T>(k.data, seen, D, k.row, k.column, buffers.k);
    pack_rows<T>(v.data, seen, D, v.row, v.column, T(1), buffers.v, buffers.width);
    for (std::int64_t i = first; i < last; i += kQueryTile) {
      attend_tile<S, T>(a, sight, b, h, i, smaller(kQueryTile, last - i), buffers);
    }
  });
}

}  // namespace

void attention(const AttentionArgs& a) {
  visit_real(a.q.dtype, [&]<class S>(Tag<S>) { attention_typed<S>(a); });
}

#include "tensor/backend/cpu/isa_end.h"
