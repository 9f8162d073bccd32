// A forward pass over windows of x, which conv2d_direct.cpp makes convolutions and their gradients
// of.
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

// R output pixels, whose windows start at image + from(r), times the first N vectors of one strip
// of weights [kh, run, kMicroColumns], added to `start`.
template <int R, int N, class T, class From, class V>
ATHANOR_INLINE void window_sums(const T* image, const From& from, std::int64_t kh, std::int64_t row,
                                std::int64_t run, const T* w, const T* start, V (&sums)[R][N]) {
  constexpr std::int64_t W = VectorOf<T>::lanes;
  ATHANOR_UNROLL
  for (int r = 0; r < R; ++r) {
    ATHANOR_UNROLL
    for (int v = 0; v < N; ++v) sums[r][v] = load_lanes(start + v * W);
  }
  for (std::int64_t i = 0; i < kh; ++i, image += row) {
    const T* a[R];
    ATHANOR_UNROLL
    for (int r = 0; r < R; ++r) a[r] = image + from(r);
    for (std::int64_t l = 0; l < run; ++l, w += kMicroColumns<T>) {
      V b[N];
      ATHANOR_UNROLL
      for (int v = 0; v < N; ++v) b[v] = load_lanes(w + v * W);
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
inline void window_block(const T* image, const From& from, std::int64_t kh, std::int64_t row,
                         std::int64_t run, const T* w, const T* start, T floor, T* y,
                         const To& to) {
  using V = typename VectorOf<T>::type;
  constexpr std::int64_t W = VectorOf<T>::lanes;
  const V low = V{} + floor;
  V sums[R][N];
  window_sums<R, N>(image, from, kh, row, run, w, start, sums);
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
inline void window_rows(std::int64_t count, const T* image, const From& from, const Pass<T>& p,
                        std::int64_t row, const T* w, const T* start, T* y, const To& to) {
  const auto run = [&]<int R>(std::integral_constant<int, R>) {
    window_block<R, N>(image, from, p.kh, row, p.run(), w, start, p.floor, y, to);
  };
  with_rows<kSumRows<N>>(count, run);
}

// One strip of output channels for the rows [first, first + rows) of those that `image` serves, to
// y with `row` and `pixel` elements from one to the next; `width` of the strip's channels, which N
// vectors hold.
template <int N, class T>
void strip_rows(const Pass<T>& p, const Image<T>& image, std::int64_t first, std::int64_t rows,
                const T* w, const T* start, std::int64_t width, T* y, std::int64_t y_row,
                std::int64_t y_pixel, ImageAhead<T>& ahead) {
  constexpr std::int64_t kWidth = N * VectorOf<T>::lanes, kRows = kSumRows<N>;
  const std::int64_t pixels = rows * p.ow, step = p.sw * p.C;
  const T* const data = image.data + first * p.sh * image.row;
  alignas(64) T edge[kRows * kWidth];
  std::int64_t row = 0, column = 0, count = 0;
  for (std::int64_t pixel = 0; pixel < pixels; pixel += count) {
    ahead.ask();
    count = block_rows<kRows>(pixels - pixel);
    if (count == kRows && column + kRows <= p.ow && width == kWidth) {
      window_block<kRows, N>(
          data + row * p.sh * image.row + column * step, [=](std::int64_t r) { return r * step; },
          p.kh, image.row, p.run(), w, start, p.floor, y + row * y_row + column * y_pixel,
          [&](std::int64_t r) { return r * y_pixel; });
      column += kRows;
      if (column == p.ow) column = 0, ++row;
      continue;
    }
    std::int64_t from[kRows], to[kRows];
    for (std::int64_t r = 0; r < count; ++r) {
      from[r] = row * p.sh * image.row + column * step;
      to[r] = row * y_row + column * y_pixel;
      if (++column == p.ow) column = 0, ++row;
    }
    const auto start_of = [&](std::int64_t r) { return from[r]; };
    if (width == kWidth) {
      window_rows<N>(count, data, start_of, p, image.row, w, start, y,
                     [&](std::int64_t r) { return to[r]; });
      continue;
    }
    window_rows<N>(count, data, start_of, p, image.row, w, start, edge,
                   [](std::int64_t r) { return r * kWidth; });
    for (std::int64_t r = 0; r < count; ++r) {
      for (std::int64_t i = 0; i < width; ++i) y[to[r] + i] = edge[r * kWidth + i];
    }
  }
}

// The largest of four by lane, NaN where one of them is.
template <class V>
inline V largest_of_four(V a, V b, V c, V d) {
  const V left = a > b ? a : b, right = c > d ? c : d, best = left > right ? left : right;
  const auto ordered = ((a <= b) | (a > b)) & ((c <= d) | (c > d));
  return ordered ? best
                 : V{} + std::numeric_limits<std::remove_cvref_t<decltype(a[0])>>::quiet_NaN();
}

// The largest of each 2 x 2 window of `tile` [2, ow, kMicroColumns], `width` of its channels.
template <class T>
void pool_tile(const T* tile, std::int64_t ow, std::int64_t width, T* y, std::int64_t y_pixel) {
  using V = typename VectorOf<T>::type;
  constexpr std::int64_t W = VectorOf<T>::lanes, kWidth = kMicroColumns<T>;
  for (std::int64_t j = 0; j + 2 <= ow; j += 2, tile += 2 * kWidth, y += y_pixel) {
    for (std::int64_t o = 0; o < width; o += W) {
      const T *one = tile + o, *two = one + ow * kWidth;
      const V best = largest_of_four(load_lanes(one), load_lanes(one + kWidth), load_lanes(two),
                                     load_lanes(two + kWidth));
      if (o + W <= width) {
        store_lanes(y + o, best);
      } else {
        for (std::int64_t i = o; i < width; ++i) y[i] = best[i - o];
      }
    }
  }
}

// The largest of each 2 x 2 window of the output rows `row` and row + 1 of those that `image`
// serves. For short windows of x, where leaving the pixels in registers saves more than blocks of
// six do.
template <class T>
void pooled_rows(const Pass<T>& p, const Image<T>& image, std::int64_t row, const T* w,
                 const T* start, std::int64_t width, T* y, ImageAhead<T>& ahead) {
  using V = typename VectorOf<T>::type;
  constexpr std::int64_t W = VectorOf<T>::lanes;
  const std::int64_t step = p.sw * p.C, down = p.sh * image.row;
  const T* from = image.data + row * down;
  const V low = V{} + p.floor;
  for (std::int64_t j = 0; j + 2 <= p.ow; j += 2, from += 2 * step, y += p.y_pixel) {
    ahead.ask();
    V sums[4][2];
    window_sums<4, 2>(
        from, [=](int r) { return r / 2 * down + r % 2 * step; }, p.kh, image.row, p.run(), w,
        start, sums);
    const auto largest = [&](int v) {
      const V best = largest_of_four(sums[0][v], sums[1][v], sums[2][v], sums[3][v]);
      return best < low ? low : best;
    };
    const V one = largest(0), two = largest(1);
    if (width == 2 * W) {
      store_lanes(y, one);
      store_lanes(y + W, two);
    } else {
      for (std::int64_t i = 0; i < width; ++i) y[i] = i < W ? one[i] : two[i - W];
    }
  }
}

// Of a window of x beyond which its pixels are pooled through memory.
constexpr std::int64_t kShortWindow = 32;

// Output rows [first, first + rows) of image n; `strips` as pack_weights leaves them. `tile` has
// room for two rows of a strip where the pass pools, and `first` and `rows` are even.
template <class T>
void forward_rows(const Pass<T>& p, std::int64_t n, std::int64_t first, std::int64_t rows,
                  const T* strips, T* buffer, T* tile) {
  constexpr std::int64_t kWidth = kMicroColumns<T>;
  const Image<T> image(p, n, first, rows, buffer);
  const bool more = n + 1 < p.N;
  const std::int64_t each = p.pool ? 2 : rows;
  ImageAhead<T> ahead(p.x + ((n + 1) * p.H + first * p.sh) * p.W * p.C,
                      more ? rows * p.sh * p.W * p.C : 0,
                      rows / each * p.blocks(each * p.ow, kSumRows<2>, kSumRows<1>));
  alignas(64) T start[kWidth];
  for (std::int64_t o = 0; o < p.O; o += kWidth, strips += p.window() * kWidth) {
    const std::int64_t width = smaller(kWidth, p.O - o);
    for (std::int64_t i = 0; i < kWidth; ++i) start[i] = p.bias && i < width ? p.bias[o + i] : T(0);
    const T* const from = start;
    T* const y = p.y + n * p.y_image + first / (p.pool ? 2 : 1) * p.y_row + o;
    const auto run = is_narrow<T>(width) ? strip_rows<1, T> : strip_rows<2, T>;
    if (!p.pool) {
      run(p, image, 0, rows, strips, from, width, y, p.y_row, p.y_pixel, ahead);
      continue;
    }
    const std::int64_t vectors = is_narrow<T>(width) ? kWidth / 2 : kWidth;
    for (std::int64_t row = 0; row + 2 <= rows; row += 2) {
      if (p.window() <= kShortWindow) {
        pooled_rows(p, image, row, strips, from, width, y + row / 2 * p.y_row, ahead);
        continue;
      }
      run(p, image, row, 2, strips, from, vectors, tile, p.ow * kWidth, kWidth, ahead);
      pool_tile(static_cast<const T*>(tile), p.ow, width, y + row / 2 * p.y_row, p.y_pixel);
    }
  }
}

// `weight(o, i, j, c)` as strips of kMicroColumns output channels: [strip, kh, kw, C, column].
template <class T, class F>
void pack_weights(const Pass<T>& p, T* to, F weight) {
  constexpr std::int64_t kWidth = kMicroColumns<T>;
  parallel_for(p.strips(), 16384 / (p.window() * kWidth) + 1,
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t s = begin; s < end; ++s) {
                   T* strip = to + s * p.window() * kWidth;
                   for (std::int64_t i = 0; i < p.kh; ++i) {
                     for (std::int64_t j = 0; j < p.kw; ++j) {
                       for (std::int64_t c = 0; c < p.C; ++c, strip += kWidth) {
                         for (std::int64_t k = 0; k < kWidth; ++k) {
                           const std::int64_t o = s * kWidth + k;
                           strip[k] = o < p.O ? weight(o, i, j, c) : T(0);
                         }
                       }
                     }
                   }
                 }
               });
}

template <class T, class F>
void run_pass(const Pass<T>& p, F weight) {
  const std::int64_t size = p.strips() * kMicroColumns<T> * p.window();
  T* const strips = static_cast<T*>(thread_scratch(size * sizeof(T), Scratch::shared));
  pack_weights(p, strips, weight);
  const std::int64_t pieces = smaller(p.oh, ceil_div(kConvTasks, p.N));
  const std::int64_t even = p.pool ? 2 : 1;
  const std::int64_t rows = ceil_div(ceil_div(p.oh, pieces), even) * even;
  const std::int64_t count = ceil_div(p.oh, rows);
  parallel_chunks(p.N * count, [&](std::int64_t task) {
    const std::int64_t n = task / count, first = task % count * rows;
    const std::int64_t here = smaller(rows, p.oh - first);
    const std::int64_t tile = p.pool ? 2 * p.ow * kMicroColumns<T> : 0;
    T* const buffer = static_cast<T*>(
        thread_scratch((tile + p.padded_rows(here) * p.padded_row()) * sizeof(T), Scratch::task));
    forward_rows(p, n, first, here, static_cast<const T*>(strips), buffer + tile, buffer);
  });
}
