// The own matrix product (after Goto & van de Geijn 2008; Van Zee & van de Geijn 2015): b is packed
// into strips once, a in blocks that stay in the second-level cache, and a register block of
// results runs over k.
//
// Sums over k are cut every kDepth and added in order; cuts of m and n depend on the shape alone.
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

constexpr std::int64_t kDepth = 256;                  // of k in one pass
constexpr std::int64_t kBlockRows = 16 * kMicroRows;  // of a in one block
constexpr std::int64_t kBlockColumns = 512;           // of c in one task
// Multiply-adds below which a second task does not pay for waking a thread, and the number of
// tasks from which on they have whole blocks.
constexpr std::int64_t kTaskWork = 1 << 19;
constexpr std::int64_t kGemmTasks = 8;

// The columns [first, first + count) of b as one strip: for each k, kMicroColumns values, zero
// beyond N.
template <class T>
void pack_strip(const Gemm<T>& g, std::int64_t n, T* to) {
  constexpr std::int64_t kWidth = kMicroColumns<T>;
  const std::int64_t count = smaller(kWidth, g.N - n);
  const T* from = g.b + n * g.bn;
  if (g.bn == 1) {
    if (count == kWidth) {
      for (std::int64_t k = 0; k < g.K; ++k, to += kWidth) {
        const T* row = from + k * g.bk;
        store_lanes(to, load_lanes(row));
        store_lanes(to + kWidth / 2, load_lanes(row + kWidth / 2));
      }
      return;
    }
    for (std::int64_t k = 0; k < g.K; ++k, to += kWidth) {
      for (std::int64_t i = 0; i < kWidth; ++i) to[i] = i < count ? from[k * g.bk + i] : T(0);
    }
    return;
  }
  // A piece at a time, so that the lines it writes stay in the first-level cache.
  constexpr std::int64_t kPiece = 128;
  for (std::int64_t first = 0; first < g.K; first += kPiece, to += kPiece * kWidth) {
    const std::int64_t depth = smaller(kPiece, g.K - first);
    for (std::int64_t i = 0; i < kWidth; ++i) {
      const T* column = from + first * g.bk + i * g.bn;
      for (std::int64_t k = 0; k < depth; ++k)
        to[k * kWidth + i] = i < count ? column[k * g.bk] : T(0);
    }
  }
}

// Rows [m, m + rows) and depths [k, k + depth) of a as panels of kMicroRows rows: for each k,
// kMicroRows values; rows beyond the block are left as they are.
template <class T>
void pack_block(const Gemm<T>& g, std::int64_t m, std::int64_t rows, std::int64_t k,
                std::int64_t depth, T* to) {
  const T* const from = g.a + m * g.am + k * g.ak;
  const std::int64_t whole = rows / kMicroRows * kMicroRows, panel = depth * kMicroRows;
  std::int64_t first = 0;
  if (g.am == 1) {  // along memory: all panels of one k, then the next
    for (std::int64_t i = 0; i < depth; ++i) {
      const T* column = from + i * g.ak;
      T* at = to + i * kMicroRows;
      for (std::int64_t r = 0; r < whole; r += kMicroRows, at += panel) {
        std::memcpy(at, column + r, kMicroRows * sizeof(T));
      }
    }
    first = whole;
  }
  for (std::int64_t r = first; r < rows; ++r) {
    T* at = to + r / kMicroRows * panel + r % kMicroRows;
    const T* row = from + r * g.am;
    for (std::int64_t i = 0; i < depth; ++i) at[i * kMicroRows] = row[i * g.ak];
  }
}

// One register block of at most kMicroRows rows.
template <bool kTransposed, bool kAdd, class T>
void micro(std::int64_t rows, std::int64_t K, const T* a, std::int64_t lda, const T* b, T* c,
           std::int64_t ldc) {
  constexpr std::int64_t ldb = kMicroColumns<T>;
  switch (rows) {
    case 6:
      return micro_block<6, kTransposed, kAdd>(K, a, lda, b, ldb, c, ldc);
    case 5:
      return micro_block<5, kTransposed, kAdd>(K, a, lda, b, ldb, c, ldc);
    case 4:
      return micro_block<4, kTransposed, kAdd>(K, a, lda, b, ldb, c, ldc);
    case 3:
      return micro_block<3, kTransposed, kAdd>(K, a, lda, b, ldb, c, ldc);
    case 2:
      return micro_block<2, kTransposed, kAdd>(K, a, lda, b, ldb, c, ldc);
    default:
      return micro_block<1, kTransposed, kAdd>(K, a, lda, b, ldb, c, ldc);
  }
}

// How a is read: in place where its rows are contiguous and each is read a few times only; else
// from packed panels. Rows that are a multiple of 4 kB apart would fight for one set of the cache.
enum class Reading { rows, packed };

template <class T>
Reading reading_of(const Gemm<T>& g) {
  const std::int64_t strips = ceil_div(g.N, kMicroColumns<T>);
  if (g.ak == 1 && strips <= (g.am % 1024 == 0 ? 2 : 16)) return Reading::rows;
  return Reading::packed;
}

// c's rows [m, m + rows), columns [n, n + columns) for the depths [k, k + depth); `strips` holds b
// from column n and depth k on, each strip `strip` elements after the other. `tile` (leading
// dimension `ldt`) receives or gathers the sums.
template <bool kAdd, class T>
void block_product(const Gemm<T>& g, Reading reading, std::int64_t m, std::int64_t rows,
                   std::int64_t columns, std::int64_t k, std::int64_t depth, const T* panels,
                   const T* strips, std::int64_t strip, T* tile, std::int64_t ldt) {
  constexpr std::int64_t kWidth = kMicroColumns<T>;
  alignas(64) T edge[kMicroRows * kWidth];
  for (std::int64_t n = 0; n < columns; n += kWidth, strips += strip) {
    const std::int64_t width = smaller(kWidth, columns - n);
    for (std::int64_t r = 0; r < rows; r += kMicroRows) {
      const std::int64_t count = smaller(kMicroRows, rows - r);
      T* to = tile + r * ldt + n;
      T* c = width == kWidth ? to : edge;
      const std::int64_t ldc = width == kWidth ? ldt : kWidth;
      if (kAdd && c == edge) {
        for (std::int64_t row = 0; row < count; ++row) {
          for (std::int64_t i = 0; i < width; ++i) edge[row * kWidth + i] = to[row * ldt + i];
        }
      }
      const T* a = g.a + (m + r) * g.am + k * g.ak;
      if (reading == Reading::packed) {
        micro<true, kAdd>(count, depth, panels + r * depth, kMicroRows, strips, c, ldc);
      } else {
        micro<false, kAdd>(count, depth, a, g.am, strips, c, ldc);
      }
      if (c == edge) {
        for (std::int64_t row = 0; row < count; ++row) {
          for (std::int64_t i = 0; i < width; ++i) to[row * ldt + i] = edge[row * kWidth + i];
        }
      }
    }
  }
}

// Adds the bias to a finished tile and, when c is not row-major, moves it there.
template <class T>
void finish_tile(const Gemm<T>& g, std::int64_t m, std::int64_t rows, std::int64_t n,
                 std::int64_t columns, T* tile, std::int64_t ldt) {
  if (g.bias) {
    const T* bias = g.bias + m * g.bias_m + n * g.bias_n;
    for (std::int64_t r = 0; r < rows; ++r) {
      T* row = tile + r * ldt;
      if (g.bias_n == 0) {
        const T value = bias[r * g.bias_m];
        for (std::int64_t i = 0; i < columns; ++i) row[i] += value;
      } else {
        for (std::int64_t i = 0; i < columns; ++i) row[i] += bias[i];
      }
    }
  }
  if (g.cn == 1) return;
  T* c = g.c + m * g.cm + n * g.cn;
  // Eight rows at a time: short pieces of c, few lines of the tile.
  for (std::int64_t first = 0; first < rows; first += 8) {
    const std::int64_t count = smaller(8, rows - first);
    const T* from = tile + first * ldt;
    for (std::int64_t i = 0; i < columns; ++i) {
      T* to = c + i * g.cn + first * g.cm;
      if (count == 8 && g.cm == 1) {
        for (std::int64_t r = 0; r < 8; ++r) to[r] = from[r * ldt + i];
      } else {
        for (std::int64_t r = 0; r < count; ++r) to[r * g.cm] = from[r * ldt + i];
      }
    }
  }
}

// The rows [m, m + rows) and columns [n, n + columns) of c.
template <class T>
void run_task(const Gemm<T>& g, Reading reading, std::int64_t m, std::int64_t rows, std::int64_t n,
              std::int64_t columns, const T* strips) {
  constexpr std::int64_t kWidth = kMicroColumns<T>;
  const std::int64_t padded = ceil_div(columns, kWidth) * kWidth;
  const bool direct = g.cn == 1;
  const std::int64_t panel = reading == Reading::packed ? kBlockRows * kDepth : 0;
  T* const panels = static_cast<T*>(
      thread_scratch((panel + (direct ? 0 : kBlockRows * padded)) * sizeof(T), Scratch::task));
  for (std::int64_t block = 0; block < rows; block += kBlockRows) {
    const std::int64_t count = smaller(kBlockRows, rows - block), first = m + block;
    T* const tile = direct ? g.c + first * g.cm + n : panels + panel;
    const std::int64_t ldt = direct ? g.cm : padded;
    for (std::int64_t k = 0; k < g.K; k += kDepth) {
      const std::int64_t depth = smaller(kDepth, g.K - k);
      if (reading == Reading::packed) pack_block(g, first, count, k, depth, panels);
      const T* from = strips + n * g.K + k * kWidth;
      const auto run = k == 0 ? block_product<false, T> : block_product<true, T>;
      run(g, reading, first, count, columns, k, depth, panels, from, g.K * kWidth, tile, ldt);
    }
    finish_tile(g, first, count, n, columns, tile, ldt);
  }
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

// c = a b on this thread and its helpers. The caller made sure that M >= 1, N >= 1 and K >= 1.
template <class T>
void gemm(Gemm<T> g) {
  constexpr std::int64_t kWidth = kMicroColumns<T>;
  // c^T = b^T a^T where b would be expensive to pack, or a gives too few rows.
  if (g.N >= 2 * g.M && ((g.bn != 1 && g.K >= 64) || g.M < kMicroRows)) {
    g = {g.N,  g.M, g.K,  g.b,  g.bn,   g.bk,     g.a,     g.ak,
         g.am, g.c, g.cn, g.cm, g.bias, g.bias_n, g.bias_m};
  }
  if (g.N == 1 && g.ak == 1 && g.bk == 1) return product_with_vector(g);
  const std::int64_t strips = ceil_div(g.N, kWidth);
  T* const packed =
      static_cast<T*>(thread_scratch(strips * kWidth * g.K * sizeof(T), Scratch::shared));
  const std::int64_t grain = 32768 / (g.K * kWidth) + 1;
  parallel_for(strips, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t s = begin; s < end; ++s) pack_strip(g, s * kWidth, packed + s * kWidth * g.K);
  });
  const Reading reading = reading_of(g);
  const std::int64_t columns = smaller(kBlockColumns, strips * kWidth);
  const std::int64_t across = ceil_div(g.N, columns);
  std::int64_t rows = g.M;
  if (g.M * g.N * g.K >= 2 * kTaskWork) {
    rows = ceil_div(g.M, kBlockRows) * across >= kGemmTasks ? kBlockRows : kBlockRows / 2;
  }
  parallel_chunks(ceil_div(g.M, rows) * across, [&](std::int64_t task) {
    const std::int64_t m = task / across * rows, n = task % across * columns;
    run_task(g, reading, m, smaller(rows, g.M - m), n, smaller(columns, g.N - n),
             static_cast<const T*>(packed));
  });
}

// The matrices of a batch, one after another or, when there are many small ones, side by side.
template <class T>
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
    gemm<T>({M, N, K, args.x.as<const T>() + x, args.x.strides[rank - 2], args.x.strides[rank - 1],
             args.y.as<const T>() + y, args.y.strides[rank - 2], args.y.strides[rank - 1],
             args.z.as<T>() + batch * M * N, N, 1, args.bias.as<const T>(), 0, 1});
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
  if (args.x.dtype == DType::f32) return matmul_typed<float>(args);
  matmul_typed<double>(args);
}

#include "tensor/backend/cpu/isa_end.h"
