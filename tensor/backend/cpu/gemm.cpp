// The own matrix product (after Goto & van de Geijn 2008; Van Zee & van de Geijn 2015): b is packed
// into strips, as many as the cache holds at a time, a in blocks that stay in the second-level
// cache, and a register block of results runs over k.
//
// Sums over k are cut every kDepth and added in order; cuts of m and n change no sum.
// So a product has the same bits at every thread count.
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "tensor/backend/cpu/gemm.h"
#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/backend/cpu/scratch.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"
#include "tensor/backend/cpu/isa_integers.h"
#include "tensor/backend/cpu/row.h"

#include "tensor/backend/cpu/micro_gemm.h"

namespace {

#include "tensor/backend/cpu/gemm_block.h"

#include "tensor/backend/cpu/gemm_pack.h"

#include "tensor/backend/cpu/gemm_tile.h"

constexpr std::int64_t kDepth = 256;                  // of k in one pass
constexpr std::int64_t kBlockRows = 16 * kMicroRows;  // of a in one block
constexpr std::int64_t kBlockColumns = 512;           // of c in one task
// Of b packed at a time: for AVX-512, whose CPUs have 2 MiB of second-level cache, what stays
// there; else 1.75 MiB, for the third level.
constexpr std::int64_t kPackedBytes = (kVectorBytes == 64 ? 5 : 7) << 18;
constexpr std::int64_t kPackedColumns = 512;  // of b, where c gathers the sums of several passes
// Of c that stays in the second-level cache beside a part of b.
constexpr std::int64_t kNearBytes = kVectorBytes == 64 ? 1024 << 10 : 128 << 10;
// Multiply-adds below which a second task does not pay for waking a thread, and the number of
// tasks wanted, for which blocks are halved and quartered.
constexpr std::int64_t kTaskWork = 1 << 19;
constexpr std::int64_t kGemmTasks = 8;

// How a is read: in place where its rows are contiguous and each is read a few times only; else
// from packed panels, of kTallRows where its columns are contiguous and many k are summed. Rows
// that are a multiple of 4 kB apart would fight for one set of the cache.
enum class Reading { rows, packed, tall };

// b is read where it lies when few rows of a use it, so that packing it would cost as much as the
// product: a few k at a time, which stay in the cache for those rows.
constexpr std::int64_t kFewRows = 3 * kMicroRows;
constexpr std::int64_t kFewRowsDepth = 64;
constexpr std::int64_t kFewRowsColumns = 256;

// Rows of a from which on packing b costs little beside the product.
constexpr std::int64_t kManyRows = 256;

// Of k at a time when b is read where it lies; 0 where it is packed.
template <class S>
std::int64_t unpacked_depth(const Gemm<S>& g) {
  if (!kComputes<S> || g.bn != 1 || g.bk == kMicroColumns<S> || g.K * g.N < kTaskWork) return 0;
  if (g.M <= kFewRows) return kFewRowsDepth;
  // On CPUs with AVX-512, up to kManyRows when kDepth rows spread over all sets of a first-level
  // cache: an odd number of lines from one to the next.
  const std::int64_t lines = g.bk / kLineOf<S>;
  return kVectorBytes == 64 && g.M < kManyRows && lines % 2 == 1 ? kDepth : 0;
}

template <class S>
Reading reading_of(const Gemm<S>& g) {
  constexpr std::int64_t kWidth = kMicroColumns<compute_t<S>>;
  const std::int64_t strips = ceil_div(g.N, kWidth);
  if (!kComputes<S>) return Reading::packed;
  if (g.ak == 1 && strips <= (g.am % 1024 == 0 ? 2 : 16)) return Reading::rows;
  const bool narrow = is_narrow<compute_t<S>>((g.N - 1) % kWidth + 1);
  const bool tall = kTallRows > kMicroRows && g.am == 1 && g.K >= kDepth && !narrow;
  return tall ? Reading::tall : Reading::packed;
}

// Lines of the rows [m, m + rows) and depths [k, k + depth) of a.
template <class S>
Lines lines_of(const Gemm<S>& g, std::int64_t m, std::int64_t rows, std::int64_t k,
               std::int64_t depth) {
  constexpr auto kSize = static_cast<std::int64_t>(sizeof(S));
  const char* const line = reinterpret_cast<const char*>(g.a + m * g.am + k * g.ak);
  if (g.ak == 1) return {line, g.am * kSize, depth * kSize, rows};
  if (g.am == 1) return {line, g.ak * kSize, rows * kSize, depth};
  return {};
}

// What is packed after the rows [m, m + rows) from depth k on: of a by this task, which begins
// with row `begin`, and of b its share.
template <class S>
LinesAhead after(const Gemm<S>& g, Reading reading, std::int64_t begin, std::int64_t m,
                 std::int64_t rows, std::int64_t columns, std::int64_t k) {
  constexpr auto kSize = static_cast<std::int64_t>(sizeof(S));
  const std::int64_t calls = ceil_div(rows, reading == Reading::tall ? kTallRows : kMicroRows) *
                             ceil_div(columns, kMicroColumns<compute_t<S>>) *
                             ceil_div(smaller(kDepth, g.K - k), kMicroPiece);
  Lines a, b;
  if (reading != Reading::rows) {
    if (k + kDepth < g.K) {
      a = lines_of(g, m, rows, k + kDepth, smaller(kDepth, g.K - k - kDepth));
    } else if (m + rows < g.M) {
      a = lines_of(g, m + rows, smaller(kBlockRows, g.M - m - rows), 0, smaller(kDepth, g.K));
    } else if (g.deeper > 0) {
      a = lines_of(g, begin, smaller(kBlockRows, g.M - begin), g.K, g.deeper);
    }
  }
  if (g.deeper > 0) {
    const std::int64_t from = g.deeper * m / g.M, to = g.deeper * (m + rows) / g.M;
    b = {reinterpret_cast<const char*>(g.b + (g.K + from) * g.bk), g.bk * kSize, g.N * kSize,
         to - from};
  }
  return {a, b, calls};
}

// The rows [m, m + rows) and columns [n, n + columns) of c; `strips` holds b from column n on.
template <class S, class T>
void run_task(const Gemm<S>& g, Reading reading, std::int64_t m, std::int64_t rows, std::int64_t n,
              std::int64_t columns, const T* strips) {
  constexpr std::int64_t kWidth = kMicroColumns<T>;
  const std::int64_t padded = ceil_div(columns, kWidth) * kWidth;
  const bool direct = in_place(g);
  const std::int64_t panel = reading != Reading::rows ? kBlockRows * kDepth + kPanelSlack : 0;
  const std::int64_t sums = direct ? 0 : kBlockRows * padded;
  const std::int64_t wide = kComputes<S> ? 0 : kBlockRows * kDepth;
  T* const panels =
      static_cast<T*>(thread_scratch((panel + sums + wide) * sizeof(T), Scratch::task));
  for (std::int64_t block = 0; block < rows; block += kBlockRows) {
    const std::int64_t count = smaller(kBlockRows, rows - block), first = m + block;
    T* tile = panels + panel;
    if constexpr (kComputes<S>) {
      if (direct) tile = g.c + first * g.cm + n;
    }
    const std::int64_t ldt = direct ? g.cm : padded;
    for (std::int64_t k = 0; k < g.K; k += kDepth) {
      const std::int64_t depth = smaller(kDepth, g.K - k);
      LeftSide<T> left{nullptr, g.am, panels};
      if (reading == Reading::tall) {
        if constexpr (kComputes<S>) {
          pack_along<kTallRows>(g.a + first + k * g.ak, g.ak, count, depth, panels);
        }
        left.tall = kTallRows;
      } else if (reading == Reading::packed) {
        pack_block(g, first, count, k, depth, panels, panels + panel + sums);
      } else if constexpr (kComputes<S>) {
        left.rows = g.a + first * g.am + k;
      }
      const auto run = k == 0 && !g.add ? block_product<false, T> : block_product<true, T>;
      run(left, count, columns, depth, {strips + k * kWidth, g.K * kWidth, kWidth}, tile, ldt,
          k + depth < g.K ? nullptr : block_bias(g, n),
          after(g, reading, m, first, count, columns, k));
    }
    finish_tile(g, first, count, n, columns, tile, ldt);
  }
}

// Columns [n, n + columns) of c, with b where it lies, `most` of k at a time.
template <class T>
void run_unpacked(const Gemm<T>& g, std::int64_t most, std::int64_t n, std::int64_t columns) {
  constexpr std::int64_t kWidth = kMicroColumns<T>;
  const std::int64_t whole = columns / kWidth * kWidth, padded = ceil_div(columns, kWidth) * kWidth;
  const bool direct = g.cn == 1;
  const std::int64_t panel = ceil_div(g.M, kMicroRows) * kMicroRows * most + kPanelSlack;
  T* const last = static_cast<T*>(thread_scratch(
      (most * kWidth + panel + (direct ? 0 : g.M * padded)) * sizeof(T), Scratch::task));
  T* const panels = last + most * kWidth;  // `last`: what is left beside whole strips
  T* const tile = direct ? g.c + n : panels + panel;
  const std::int64_t ldt = direct ? g.cm : padded;
  for (std::int64_t k = 0; k < g.K; k += most) {
    const std::int64_t depth = smaller(most, g.K - k);
    pack_block(g, 0, g.M, k, depth, panels);
    const LeftSide<T> left{nullptr, 0, panels};
    const auto run = k == 0 ? block_product<false, T> : block_product<true, T>;
    const T* const b = g.b + k * g.bk + n;
    const T* const bias = k + depth < g.K ? nullptr : block_bias(g, n);
    run(left, g.M, whole, depth, {b, kWidth, g.bk}, tile, ldt, bias, {});
    if (whole == columns) continue;
    for (std::int64_t i = 0; i < depth; ++i) {
      for (std::int64_t j = 0; j < kWidth; ++j) {
        last[i * kWidth + j] = whole + j < columns ? b[i * g.bk + whole + j] : T(0);
      }
    }
    run(left, g.M, columns - whole, depth, {last, kWidth, kWidth}, tile + whole, ldt,
        bias ? bias + whole : nullptr, {});
  }
  finish_tile(g, 0, g.M, n, columns, tile, ldt);
}

// One column: c[m] = sum_k a[m, k] b[k], b contiguous. Rows in parallel.
template <class T>
void product_with_vector(const Gemm<T>& g) {
  using V = typename VectorOf<T>::type;
  constexpr std::int64_t W = VectorOf<T>::lanes;
  parallel_for(g.M, kTaskWork / g.K + 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t m = begin; m < end; ++m) {
      const T* a = g.a + m * g.am;
      V sums[4]{};
      std::int64_t k = 0;
      for (; k + 4 * W <= g.K; k += 4 * W) {
        ATHANOR_UNROLL
        for (int i = 0; i < 4; ++i)
          sums[i] += load_lanes(a + k + i * W) * load_lanes(g.b + k + i * W);
      }
      T total = sum_lanes<T>((sums[0] + sums[1]) + (sums[2] + sums[3]));
      for (; k < g.K; ++k) total += a[k] * g.b[k];
      if (g.bias) total += g.bias[m * g.bias_m];
      g.c[m * g.cm] = total;
    }
  });
}

// Columns [first, first + count) of a product, and room for their strips of b.
template <class S, class T>
struct Columns {
  static constexpr std::int64_t kWidth = kMicroColumns<T>;
  Gemm<S> g;
  std::int64_t first, count;
  T* packed;

  std::int64_t strips() const { return ceil_div(count, kWidth); }
  // Strips that one task packs, about 128 KiB.
  std::int64_t grain() const { return 32768 / (g.K * kWidth) + 1; }
  std::int64_t packings() const { return ceil_div(strips(), grain()); }
  void pack(std::int64_t task) const {
    const std::int64_t begin = task * grain();
    pack_strips(g, first, begin, smaller(begin + grain(), strips()), packed);
  }
};

// Rows of c in one task. Whole panels, and as even as they allow: two threads wait for each other
// for as long as the last task takes.
template <class S>
std::int64_t task_rows(const Gemm<S>& g, Reading reading, std::int64_t columns,
                       std::int64_t across) {
  if (g.M * columns * g.K < 2 * kTaskWork) return g.M;
  const std::int64_t panel = reading == Reading::tall ? kTallRows : kMicroRows;
  std::int64_t pieces = ceil_div(g.M, kBlockRows);
  while (pieces * across < kGemmTasks && ceil_div(g.M, 2 * pieces) >= kBlockRows / 4) pieces *= 2;
  return ceil_div(ceil_div(g.M, pieces), panel) * panel;
}

// The product of what is packed; meanwhile `next`, if any, is packed.
template <class S, class T>
void multiply_columns(const Columns<S, T>& part, const Columns<S, T>* next = nullptr) {
  constexpr std::int64_t kWidth = kMicroColumns<T>;
  const Gemm<S>& g = part.g;
  const std::int64_t all = part.strips() * kWidth;
  const Reading reading = reading_of(g);
  // Whole rows of c where they give enough tasks, so that a is packed once.
  const bool whole = in_place(g) && ceil_div(g.M, kBlockRows) >= kGemmTasks;
  const std::int64_t columns = whole ? all : smaller(kBlockColumns, all);
  const std::int64_t across = ceil_div(part.count, columns);
  const std::int64_t rows = task_rows(g, reading, part.count, across);
  const std::int64_t products = ceil_div(g.M, rows) * across;
  parallel_chunks(products + (next ? next->packings() : 0), [&](std::int64_t task) {
    if (task >= products) return next->pack(task - products);
    const std::int64_t m = task / across * rows, n = task % across * columns;
    run_task(g, reading, m, smaller(rows, g.M - m), part.first + n,
             smaller(columns, part.count - n), static_cast<const T*>(part.packed + n * g.K));
  });
}

template <class S, class T>
void pack(const Columns<S, T>& part) {
  parallel_chunks(part.packings(), [&](std::int64_t task) { part.pack(task); });
}

// c = a b on this thread and its helpers. The caller made sure that M >= 1, N >= 1 and K >= 1.
template <class S>
void gemm(Gemm<S> g) {
  using T = compute_t<S>;
  constexpr std::int64_t kWidth = kMicroColumns<T>;
  // c^T = b^T a^T where b would be expensive to pack, or a gives too few rows.
  if (g.N >= 2 * g.M && ((g.bn != 1 && g.K >= 64 && g.M < kManyRows) || g.M < kMicroRows)) {
    g = {g.N,  g.M, g.K,  g.b,  g.bn,   g.bk,     g.a,     g.ak,
         g.am, g.c, g.cn, g.cm, g.bias, g.bias_n, g.bias_m};
  }
  if constexpr (kComputes<S>) {
    if (g.N == 1 && g.ak == 1 && g.bk == 1) return product_with_vector(g);
    if (const std::int64_t depth = unpacked_depth(g); depth > 0) {
      // Each task packs a: no more tasks than needed where that is large.
      const std::int64_t tasks = num_threads() == 1 ? 1 : 2 * num_threads();
      const std::int64_t columns =
          depth == kDepth ? ceil_div(ceil_div(g.N, tasks), kWidth) * kWidth : kFewRowsColumns;
      return parallel_chunks(ceil_div(g.N, columns), [&](std::int64_t task) {
        const std::int64_t n = task * columns;
        run_unpacked(g, depth, n, smaller(columns, g.N - n));
      });
    }
  }
  // As much of b at a time as stays in the cache when packed: whole columns, or some columns for a
  // part of k where c can gather the sums. Fewer columns and more of k at a time read and write c
  // less often, but a more often. Where c stays in the cache too, as little of k as a pass takes,
  // so that memory answers for a part of b while the one before is multiplied with.
  const std::int64_t all = ceil_div(g.N, kWidth);
  const std::int64_t row = all * kWidth * static_cast<std::int64_t>(sizeof(T));
  const std::int64_t parts = ceil_div(row * g.K, kPackedBytes);
  const bool near = g.bn == 1 && g.M * row <= kNearBytes && reading_of(g) != Reading::rows;
  if (in_place(g) && row * kDepth <= kPackedBytes && (parts > 1 || near) && g.K > kDepth) {
    const std::int64_t wide =
        (near ? all : ceil_div(all, ceil_div(all * kWidth, kPackedColumns))) * kWidth;
    const std::int64_t column = wide * static_cast<std::int64_t>(sizeof(T));
    const std::int64_t even = ceil_div(g.K, ceil_div(column * g.K, kPackedBytes));
    const std::int64_t depth = near ? kDepth : ceil_div(even, kDepth) * kDepth;
    // A part is packed while the one before is multiplied with, where there is room for both.
    const bool twice = near && 2 * column * depth <= kPackedBytes;
    T* const packed =
        static_cast<T*>(thread_scratch((twice ? 2 : 1) * column * depth, Scratch::shared));
    for (std::int64_t n = 0; n < g.N; n += wide) {
      const auto part_at = [&](std::int64_t k) {
        Gemm<S> part = g;
        part.a += k * g.ak, part.b += k * g.bk;
        part.K = smaller(depth, g.K - k);
        part.add = k > 0;
        if (near) part.deeper = smaller(depth, g.K - k - part.K);
        if (k + depth < g.K) part.bias = nullptr;
        T* const room = packed + (twice && k / depth % 2 == 1 ? wide * depth : 0);
        return Columns<S, T>{part, n, smaller(wide, g.N - n), room};
      };
      Columns<S, T> now = part_at(0);
      pack(now);
      for (std::int64_t k = depth; k < g.K; k += depth) {
        const Columns<S, T> next = part_at(k);
        multiply_columns(now, twice ? &next : nullptr);
        if (!twice) pack(next);
        now = next;
      }
      multiply_columns(now);
    }
    return;
  }
  const std::int64_t strips = ceil_div(all, smaller(all, parts));
  T* const packed =
      static_cast<T*>(thread_scratch(strips * kWidth * g.K * sizeof(T), Scratch::shared));
  for (std::int64_t n = 0; n < g.N; n += strips * kWidth) {
    const Columns<S, T> part{g, n, smaller(strips * kWidth, g.N - n), packed};
    pack(part);
    multiply_columns(part);
  }
}

// The matrices of a batch, one after another or, when there are many small ones, side by side.
template <class S>
void matmul_typed(const MatmulArgs& args) {
  const int rank = args.z.rank;
  const std::int64_t M = args.z.sizes[rank - 2], N = args.z.sizes[rank - 1];
  const std::int64_t K = args.x.sizes[rank - 1];
  std::int64_t batches = 1;
  for (int i = 0; i + 2 < rank; ++i) batches *= args.z.sizes[i];
  const auto one = [&](std::int64_t batch) {
    std::int64_t rest = batch, x = 0, y = 0;
    for (int i = rank - 3; i >= 0; --i) {
      x += rest % args.z.sizes[i] * args.x.strides[i];
      y += rest % args.z.sizes[i] * args.y.strides[i];
      rest /= args.z.sizes[i];
    }
    gemm<S>({M, N, K, args.x.as<const S>() + x, args.x.strides[rank - 2], args.x.strides[rank - 1],
             args.y.as<const S>() + y, args.y.strides[rank - 2], args.y.strides[rank - 1],
             args.z.as<S>() + batch * M * N, N, 1, args.bias.as<const S>(), 0, 1});
  };
  const std::int64_t group = ceil_div(kTaskWork, M * N * K);
  if (batches < 4) {
    for (std::int64_t batch = 0; batch < batches; ++batch) one(batch);
    return;
  }
  parallel_for(batches, group, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t batch = begin; batch < end; ++batch) one(batch);
  });
}

}  // namespace

void matmul(const MatmulArgs& args) {
  visit_real(args.x.dtype, [&]<class S>(Tag<S>) { matmul_typed<S>(args); });
}

#include "tensor/backend/cpu/isa_end.h"
