// Windows of x times strips of weights, of which conv2d_forward.h makes a forward pass.
//
// Included after isa_begin.h, row.h and micro_gemm.h, into an unnamed namespace.
#pragma once

// Tasks wanted when there are few images.
constexpr std::int64_t kConvTasks = 8;

// A forward pass: x [N, H, W, C] -> y [N, oh, ow, O].
template <class T>
struct Pass {
  std::int64_t N, H, W, C, O, kh, kw, oh, ow;
  std::int64_t sh, sw, ph, pw;  // stride, padding before the first row and column
  const T* x;
  T* y;
  const T* bias;                         // [O] or null
  std::int64_t y_image, y_row, y_pixel;  // elements between images, rows and pixels of y
  // What results are at least: 0, or -inf for nothing.
  T floor = -std::numeric_limits<T>::infinity();
  // Of each 2 x 2 window of results only the largest is stored: y [N, oh / 2, ow / 2, O].
  bool pool = false;

  std::int64_t strips() const { return ceil_div(O, kMicroColumns<T>); }
  // Blocks of register results for `count` rows and all channels: of `wide` rows where a strip is
  // two vectors wide, of `narrow` where it is one.
  std::int64_t blocks(std::int64_t count, std::int64_t wide, std::int64_t narrow) const {
    const std::int64_t rest = O % kMicroColumns<T>, last = rest > 0 && is_narrow<T>(rest);
    return (strips() - last) * ceil_div(count, wide) + last * ceil_div(count, narrow);
  }
  std::int64_t window() const { return kh * kw * C; }
  std::int64_t run() const { return kw * C; }
  // What the windows of `rows` output rows touch.
  std::int64_t padded_rows(std::int64_t rows) const { return (rows - 1) * sh + kh; }
  std::int64_t padded_row() const { return ((ow - 1) * sw + kw) * C; }
};

// As the public op sees it.
template <class T>
Pass<T> forward_pass(const Conv2dArgs& a) {
  const std::int64_t O = a.y.sizes[1], oh = a.y.sizes[2] * (a.pool ? 2 : 1),
                     ow = a.y.sizes[3] * (a.pool ? 2 : 1);
  return {a.x.sizes[0],
          a.x.sizes[2],
          a.x.sizes[3],
          a.x.sizes[1],
          O,
          a.w.sizes[2],
          a.w.sizes[3],
          oh,
          ow,
          a.stride.h,
          a.stride.w,
          a.padding.h,
          a.padding.w,
          a.x.as<const T>(),
          a.y.as<T>(),
          a.b.as<const T>(),
          a.y.sizes[2] * a.y.sizes[3] * O,
          a.y.sizes[3] * O,
          O};
}

// The rows of image n that the windows of output rows [first, first + rows) touch, in memory with
// zeros around them. Without padding the image serves as it is.
template <class T>
struct Image {
  const T* data;
  std::int64_t row;

  Image(const T* from, std::int64_t apart) : data(from), row(apart) {}
  Image(const Pass<T>& p, std::int64_t n, std::int64_t first, std::int64_t rows, T* buffer)
      : data(p.x + (n * p.H + first * p.sh) * p.W * p.C), row(p.W * p.C) {
    if (p.ph == 0 && p.pw == 0 && p.padded_row() <= row &&
        first * p.sh + p.padded_rows(rows) <= p.H) {
      return;
    }
    row = p.padded_row();
    const std::int64_t columns = row / p.C;
    const std::int64_t left = smaller(p.pw, columns), right = smaller(p.pw + p.W, columns);
    T* to = buffer;
    for (std::int64_t i = 0; i < p.padded_rows(rows); ++i, to += row) {
      const std::int64_t at = first * p.sh + i - p.ph;
      if (at < 0 || at >= p.H) {
        std::memset(to, 0, static_cast<std::size_t>(row) * sizeof(T));
        continue;
      }
      const T* from = p.x + (n * p.H + at) * p.W * p.C;
      std::memset(to, 0, static_cast<std::size_t>(left * p.C) * sizeof(T));
      std::memcpy(to + left * p.C, from,
                  static_cast<std::size_t>((right - left) * p.C) * sizeof(T));
      std::memset(to + right * p.C, 0, static_cast<std::size_t>(row - right * p.C) * sizeof(T));
    }
    data = buffer;
  }
};

// Asks for `count` elements that will be needed next, a piece with each of `calls` calls, so that
// memory answers while the calls compute.
template <class T>
struct ImageAhead {
  const T* next;
  std::int64_t piece;

  ImageAhead(const T* from, std::int64_t count, std::int64_t calls)
      : next(from), piece(ceil_div(count, calls)) {}
  void ask() {
    constexpr std::int64_t kLine = 64 / sizeof(T);
    for (std::int64_t i = 0; i < piece; i += kLine) __builtin_prefetch(next + i);
    next += piece;
  }
};

// What the windows of a rectangle of output pixels read: `kh` runs of `run` values, `row` elements
// apart in x and `w_row` in the strip of weights.
template <class T>
struct Windows {
  const T* x;  // the first pixel's first value
  std::int64_t row, kh, run, w_row;
  std::int64_t rows, columns;  // of output pixels
};

// R output pixels, whose windows start at image + from(r), times the first N vectors of one strip
// of weights [kh, run, kMicroColumns], added to `start`.
template <int R, int N, class T, class From, class V>
ATHANOR_INLINE void window_sums(const T* image, const From& from, const Windows<T>& windows,
                                const T* w, const T* start, V (&sums)[R][N]) {
  constexpr std::int64_t W = VectorOf<T>::lanes;
  ATHANOR_UNROLL
  for (int r = 0; r < R; ++r) {
    ATHANOR_UNROLL
    for (int v = 0; v < N; ++v) sums[r][v] = load_lanes(start + v * W);
  }
  const std::int64_t run = windows.run;
  for (std::int64_t i = 0; i < windows.kh; ++i, image += windows.row, w += windows.w_row) {
    const T* a[R];
    ATHANOR_UNROLL
    for (int r = 0; r < R; ++r) a[r] = image + from(r);
    const T* at = w;
    for (std::int64_t l = 0; l < run; ++l, at += kMicroColumns<T>) {
      V b[N];
      ATHANOR_UNROLL
      for (int v = 0; v < N; ++v) b[v] = load_lanes(at + v * W);
      ATHANOR_UNROLL
      for (int r = 0; r < R; ++r) {
        const T value = a[r][l];
        ATHANOR_UNROLL
        for (int v = 0; v < N; ++v) sums[r][v] += value * b[v];
      }
    }
  }
}

// Such pixels, at least `floor`, to y + to(r).
template <int R, int N, class T, class From, class To>
inline void window_block(const T* image, const From& from, const Windows<T>& windows, const T* w,
                         const T* start, T floor, T* y, const To& to) {
  using V = typename VectorOf<T>::type;
  constexpr std::int64_t W = VectorOf<T>::lanes;
  const V low = V{} + floor;
  V sums[R][N];
  window_sums<R, N>(image, from, windows, w, start, sums);
  ATHANOR_UNROLL
  for (int r = 0; r < R; ++r) {
    ATHANOR_UNROLL
    for (int v = 0; v < N; ++v) {
      // A NaN stays.
      store_lanes(y + to(r) + v * W, sums[r][v] < low ? low : sums[r][v]);
    }
  }
}

template <int N, class T, class From, class To>
inline void window_rows(std::int64_t count, const From& from, const Windows<T>& windows, const T* w,
                        const T* start, T floor, T* y, const To& to) {
  with_rows<kSumRows<N>>(count, [&]<int R>(std::integral_constant<int, R>) {
    window_block<R, N>(windows.x, from, windows, w, start, floor, y, to);
  });
}

// One strip of output channels for a rectangle of pixels, whose first one is y, with `y_row` and
// `y_pixel` elements from one to the next; `width` of the strip's channels, which N vectors hold.
// `down` and `step` are the elements of x between the windows of neighbouring rows and columns.
template <int N, class T>
void strip_pixels(const Windows<T>& windows, std::int64_t down, std::int64_t step, const T* w,
                  const T* start, T floor, std::int64_t width, T* y, std::int64_t y_row,
                  std::int64_t y_pixel, ImageAhead<T>& ahead) {
  constexpr std::int64_t kWidth = N * VectorOf<T>::lanes, kRows = kSumRows<N>;
  const std::int64_t pixels = windows.rows * windows.columns;
  alignas(64) T edge[kRows * kWidth];
  std::int64_t row = 0, column = 0, count = 0;
  for (std::int64_t pixel = 0; pixel < pixels; pixel += count) {
    ahead.ask();
    count = block_rows<kRows>(pixels - pixel);
    if (count == kRows && column + kRows <= windows.columns && width == kWidth) {
      window_block<kRows, N>(
          windows.x + row * down + column * step, [=](std::int64_t r) { return r * step; }, windows,
          w, start, floor, y + row * y_row + column * y_pixel,
          [&](std::int64_t r) { return r * y_pixel; });
      column += kRows;
      if (column == windows.columns) column = 0, ++row;
      continue;
    }
    std::int64_t from[kRows], to[kRows];
    for (std::int64_t r = 0; r < count; ++r) {
      from[r] = row * down + column * step;
      to[r] = row * y_row + column * y_pixel;
      if (++column == windows.columns) column = 0, ++row;
    }
    const auto start_of = [&](std::int64_t r) { return from[r]; };
    if (width == kWidth) {
      window_rows<N>(count, start_of, windows, w, start, floor, y,
                     [&](std::int64_t r) { return to[r]; });
      continue;
    }
    window_rows<N>(count, start_of, windows, w, start, floor, edge,
                   [](std::int64_t r) { return r * kWidth; });
    for (std::int64_t r = 0; r < count; ++r) {
      for (std::int64_t i = 0; i < width; ++i) y[to[r] + i] = edge[r * kWidth + i];
    }
  }
}
