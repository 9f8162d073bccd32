// Blocks of the own matrix product: rows of a times packed or strided strips of b into a tile of c.
//
// Included after isa_begin.h, row.h and micro_gemm.h, into an unnamed namespace.
#pragma once

// One register block of at most kMicroRows rows, or of twice as many where it is one vector wide.
template <int N, bool kTransposed, bool kAdd, class T, class Bias>
void micro(std::int64_t rows, std::int64_t K, const T* a, std::int64_t lda, const T* b,
           std::int64_t ldb, T* c, std::int64_t ldc, std::int64_t panel, const Bias& bias) {
  with_rows<kSumRows<N>>(rows, [&]<int R>(std::integral_constant<int, R>) {
    micro_block<R, N, kTransposed, kAdd>(K, a, lda, b, ldb, c, ldc, panel, bias);
  });
}

// Into the second-level cache where the first one is full of a strip of b (AVX-512).
constexpr int kAheadLevel = kVectorBytes == 64 ? 2 : 3;

// Rows of memory: `left` of them, `step` apart, of each the first `width`, all in bytes.
struct Lines {
  const char* line = nullptr;
  std::int64_t step = 0, width = 0, left = 0;

  std::int64_t count() const { return left * ceil_div(width, 64); }
};

// Asks for lines of memory that are needed next, `each` with a call, so that memory answers while
// the calls compute: first `now`, then `then`.
struct LinesAhead {
  Lines now, then;
  std::int64_t each = 0, at = 0;

  LinesAhead() = default;
  LinesAhead(const Lines& first, const Lines& second, std::int64_t calls)
      : now(first.left > 0 ? first : second),
        then(first.left > 0 ? second : Lines{}),
        each(ceil_div(first.count() + second.count(), calls > 0 ? calls : 1)) {}

  bool more() const { return now.left > 0; }
  void ask() {
    for (std::int64_t i = 0; i < each && now.left > 0; ++i) {
      __builtin_prefetch(now.line + at, 0, kAheadLevel);
      at += 64;
      if (at < now.width) continue;
      at = 0, now.line += now.step;
      if (--now.left == 0) now = then, then = {};
    }
  }
};

// Rows of a for some depths of k: in place, `am` elements from one to the next, or, where `rows` is
// null, as panels of `tall` rows that pack_block left: kMicroRows, or kTallRows.
template <class T>
struct LeftSide {
  const T* rows;
  std::int64_t am;
  const T* panels;
  std::int64_t tall = kMicroRows;
};

// `rows` rows and `width` columns of c, N vectors wide, from `depth` of k: one strip of b. `tile`
// (leading dimension `ldt`) receives or gathers the sums, to which `bias` (or NoBias) is added.
template <int N, bool kAdd, class T, class Bias>
void strip_product(const LeftSide<T>& a, std::int64_t rows, std::int64_t width, std::int64_t depth,
                   const T* strip, std::int64_t ldb, T* tile, std::int64_t ldt, const Bias& bias,
                   LinesAhead& ahead) {
  constexpr std::int64_t kWidth = N * VectorOf<T>::lanes, kRows = kSumRows<N>;
  constexpr bool kTall = N == 2 && kTallRows > kMicroRows;
  alignas(64) T edge[(kTall ? kTallRows : kRows) * kWidth];
  const bool tall = kTall && !a.rows && a.tall == kTallRows;
  std::int64_t count = 0;
  for (std::int64_t r = 0; r < rows; r += count) {
    count = tall ? block_rows<kTallRows>(rows - r) : block_rows<kRows>(rows - r);
    T* to = tile + r * ldt;
    T* c = width == kWidth ? to : edge;
    const std::int64_t ldc = width == kWidth ? ldt : kWidth;
    // The lines of c that this block will write.
    for (std::int64_t row = 0; row < count; ++row) {
      for (std::int64_t i = 0; i < kWidth; i += kLineOf<T>) {
        __builtin_prefetch(to + row * ldt + i, 1);
      }
    }
    if (kAdd && c == edge) {
      for (std::int64_t row = 0; row < count; ++row) {
        for (std::int64_t i = 0; i < width; ++i) edge[row * kWidth + i] = to[row * ldt + i];
      }
    }
    if (tall) {
      if constexpr (kTall) {
        const T* const panel = a.panels + r / kTallRows * kTallRows * depth + r % kTallRows;
        with_rows<kTallRows>(count, [&]<int R>(std::integral_constant<int, R>) {
          micro_block<R, N, true, kAdd, kTallRows>(depth, panel, kTallRows, strip, ldb, c, ldc, 0,
                                                   bias, [&] { ahead.ask(); });
        });
      }
    } else if (a.rows) {
      micro<N, false, kAdd>(count, depth, a.rows + r * a.am, a.am, strip, ldb, c, ldc, 0, bias);
    } else if (count == kMicroRows && ahead.more()) {
      micro_block<kMicroRows, N, true, kAdd>(depth, a.panels + r * depth, kMicroRows, strip, ldb, c,
                                             ldc, 0, bias, [&] { ahead.ask(); });
    } else {
      micro<N, true, kAdd>(count, depth, a.panels + r * depth, kMicroRows, strip, ldb, c, ldc,
                           depth * kMicroRows, bias);
    }
    if (c == edge) {
      for (std::int64_t row = 0; row < count; ++row) {
        for (std::int64_t i = 0; i < width; ++i) to[row * ldt + i] = edge[row * kWidth + i];
      }
    }
  }
}

// The strip after `strip` of a b that is read where it lies, for a product of `rows` rows.
template <class T>
LinesAhead next_strip(const T* strip, std::int64_t row, std::int64_t rows, std::int64_t depth) {
  constexpr std::int64_t kWidth = kMicroColumns<T>, kSize = sizeof(T);
  const std::int64_t calls = rows / kMicroRows * ceil_div(depth, kMicroPiece);
  return {{reinterpret_cast<const char*>(strip + kWidth), row * kSize, kWidth * kSize, depth},
          {},
          calls};
}

// The same for `columns` columns, whose first strip of b is b.data; `bias` may be null.
template <bool kAdd, class T>
void block_product(const LeftSide<T>& a, std::int64_t rows, std::int64_t columns,
                   std::int64_t depth, const Strips<T>& b, T* tile, std::int64_t ldt, const T* bias,
                   LinesAhead ahead) {
  constexpr std::int64_t kWidth = kMicroColumns<T>;
  const T* strip = b.data;
  for (std::int64_t n = 0; n < columns; n += kWidth, strip += b.strip) {
    if (b.row != kWidth) ahead = next_strip(strip, b.row, rows, depth);
    const std::int64_t width = smaller(kWidth, columns - n);
    const auto run = [&](const auto& added) {
      const auto strip_of = is_narrow<T>(width)
                                ? strip_product<1, kAdd, T, std::remove_cvref_t<decltype(added)>>
                                : strip_product<2, kAdd, T, std::remove_cvref_t<decltype(added)>>;
      strip_of(a, rows, width, depth, strip, b.row, tile + n, ldt, added, ahead);
    };
    if (!bias) {
      run(NoBias{});
    } else if (width == kWidth) {
      run(bias + n);
    } else {
      alignas(64) T whole[kWidth]{};
      for (std::int64_t i = 0; i < width; ++i) whole[i] = bias[n + i];
      run(static_cast<const T*>(whole));
    }
  }
}
