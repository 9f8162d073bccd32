// The gradient of a convolution for its weight: images in parts, whose sums are added in order.
//
// Included after conv2d_window.h, into an unnamed namespace.
#pragma once

// Parts of the sums of a weight's gradient.
constexpr std::int64_t kConvParts = 16;
// Of the rows of x and the strip of dy that its loops read again and again: a block passes over a
// part of them that stays in a first-level cache.
constexpr std::int64_t kNearBytes = 48 << 10;

// Values of a run that a block takes: the 32 registers of AVX-512 hold the sums of twice as many as
// the window's blocks have, whose addresses would fill those for integers.
template <int N>
constexpr std::int64_t kBlockValues = kVectorBytes == 64 ? 2 * kMicroRows : kSumRows<N>;

// The outputs [first, last) along one axis whose windows meet x, and not the padding, with one of
// the taps [tap, last_tap].
struct Reached {
  std::int64_t first, last;

  Reached(std::int64_t tap, std::int64_t last_tap, std::int64_t size, std::int64_t outputs,
          std::int64_t stride, std::int64_t padding)
      : first(larger(ceil_div(padding - last_tap, stride), 0)),
        last(smaller(ceil_div(size + padding - tap, stride), outputs)) {}
};

// sums [R, N vectors] += sum over `rows` x `columns` output pixels of x [R values of the window]
// times dy [N vectors of channels]. `x` is where the first pixel's values start, `dy` its channels.
template <int R, int N, class T>
inline void weight_block(const Pass<T>& p, std::int64_t rows, std::int64_t columns, const T* x,
                         std::int64_t row, const T* dy, std::int64_t ldy, T* sums,
                         std::int64_t lds) {
  using V = typename VectorOf<T>::type;
  constexpr std::int64_t W = VectorOf<T>::lanes;
  V total[R][N];
  ATHANOR_UNROLL
  for (int r = 0; r < R; ++r) {
    ATHANOR_UNROLL
    for (int v = 0; v < N; ++v) total[r][v] = load_lanes(sums + r * lds + v * W);
  }
  const std::int64_t step = p.sw * p.C;
  for (std::int64_t i = 0; i < rows; ++i, x += p.sh * row, dy += p.ow * ldy) {
    const T *a = x, *d = dy;
    for (std::int64_t j = 0; j < columns; ++j, a += step, d += ldy) {
      V b[N];
      ATHANOR_UNROLL
      for (int v = 0; v < N; ++v) b[v] = load_lanes(d + v * W);
      ATHANOR_UNROLL
      for (int r = 0; r < R; ++r) {
        ATHANOR_UNROLL
        for (int v = 0; v < N; ++v) total[r][v] += a[r] * b[v];
      }
    }
  }
  ATHANOR_UNROLL
  for (int r = 0; r < R; ++r) {
    ATHANOR_UNROLL
    for (int v = 0; v < N; ++v) store_lanes(sums + r * lds + v * W, total[r][v]);
  }
}

// sums [run, N vectors] += the same for all values of a run, whose first one is x.
template <int N, class T>
inline void weight_run(const Pass<T>& p, std::int64_t rows, const T* x, std::int64_t row,
                       const T* dy, std::int64_t ldy, T* sums, std::int64_t lds,
                       ImageAhead<T>& next_x, ImageAhead<T>& next_dy) {
  std::int64_t count = 0;
  for (std::int64_t m = 0; m < p.run(); m += count) {
    next_x.ask();
    next_dy.ask();
    count = block_rows<kBlockValues<N>>(p.run() - m);
    const Reached columns(m / p.C, (m + count - 1) / p.C, p.W, p.ow, p.sw, p.pw);
    with_rows<kBlockValues<N>>(count, [&]<int R>(std::integral_constant<int, R>) {
      weight_block<R, N>(p, rows, columns.last - columns.first, x + m + columns.first * p.sw * p.C,
                         row, dy + columns.first * ldy, ldy, sums + m * lds, lds);
    });
  }
}

// total [wide] += the rows of dy [pixels, wide].
template <class T>
void add_pixels(std::int64_t pixels, const T* dy, std::int64_t wide, T* total) {
  constexpr std::int64_t W = VectorOf<T>::lanes;
  for (std::int64_t o = 0; o < wide; o += W) {
    auto sum = load_lanes(total + o);
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) sum += load_lanes(dy + pixel * wide + o);
    store_lanes(total + o, sum);
  }
}

// sums [window, wide] += what image n gives with the gradient dy [oh, ow, O] of its result, and,
// for a bias, sums[window] += the sum of dy; `wide` is O rounded up to whole vectors. `next` is as
// large as dy and needed after it; `buffer` has room for WeightParts::buffer() elements.
template <class T>
void add_image(const Pass<T>& p, bool bias, std::int64_t n, const T* dy, const T* next, T* sums,
               std::int64_t wide, T* buffer) {
  constexpr std::int64_t kWidth = kMicroColumns<T>;
  const Image<T> image(p, n, 0, p.oh, buffer);
  const std::int64_t pixels = p.oh * p.ow;
  if (wide != p.O) {  // whole vectors, with zeros
    T* to = buffer + p.padded_rows(p.oh) * p.padded_row();
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
      for (std::int64_t o = 0; o < wide; ++o) {
        to[pixel * wide + o] = o < p.O ? dy[pixel * p.O + o] : T(0);
      }
    }
    dy = to;
  }
  if (bias) add_pixels(pixels, dy, wide, sums + p.window() * wide);
  const std::int64_t near =
      (p.sh * image.row + p.ow * smaller(wide, kWidth)) * static_cast<std::int64_t>(sizeof(T));
  const std::int64_t each = near < kNearBytes ? kNearBytes / near : 1;
  const std::int64_t blocks =
      ceil_div(p.oh, each) * p.kh * p.blocks(p.run(), kBlockValues<2>, kBlockValues<1>);
  const bool more = n + 1 < p.N;
  ImageAhead<T> next_x(p.x + (n + 1) * p.H * p.W * p.C, more ? p.H * p.W * p.C : 0, blocks);
  ImageAhead<T> next_dy(next, more ? pixels * p.O : 0, blocks);
  for (std::int64_t first = 0; first < p.oh; first += each) {
    for (std::int64_t o = 0; o < wide; o += kWidth) {
      const auto run = is_narrow<T>(wide - o) ? weight_run<1, T> : weight_run<2, T>;
      for (std::int64_t i = 0; i < p.kh; ++i) {
        const Reached reached(i, i, p.H, p.oh, p.sh, p.ph);
        const std::int64_t begin = larger(first, reached.first);
        const std::int64_t rows = smaller(first + each, reached.last) - begin;
        run(p, rows, image.data + (begin * p.sh + i) * image.row, image.row,
            dy + begin * p.ow * wide + o, wide, sums + i * p.run() * wide + o, wide, next_x,
            next_dy);
      }
    }
  }
}

// How the images of a pass are cut into parts.
template <class T>
struct WeightParts {
  std::int64_t wide, size, each, count;  // size: elements a part's sums; each: images a part

  explicit WeightParts(const Pass<T>& p)
      : wide(ceil_div(p.O, VectorOf<T>::lanes) * VectorOf<T>::lanes),
        size((p.window() + 1) * wide),
        each(ceil_div(p.N, smaller(p.N, kConvParts))),
        count(ceil_div(p.N, each)) {}

  // Elements that add_image() needs.
  std::int64_t buffer(const Pass<T>& p) const {
    return p.padded_rows(p.oh) * p.padded_row() + (wide != p.O ? p.oh * p.ow * wide : 0);
  }
};

// dw and, unless null, db from the sums of all parts, of which the first gathers the others.
template <class T>
void write_weight(const Pass<T>& p, const WeightParts<T>& parts, T* sums, T* dw, T* db) {
  const std::int64_t size = parts.size, wide = parts.wide;
  parallel_for(size, 16384 / parts.count + 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t part = 1; part < parts.count; ++part) {
      const T* from = sums + part * size;
      ATHANOR_INDEPENDENT
      for (std::int64_t i = begin; i < end; ++i) sums[i] += from[i];
    }
  });
  // Into the weight's order.
  const std::int64_t taps = p.kh * p.kw;
  parallel_for(p.O, 16384 / p.window() + 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t o = begin; o < end; ++o) {
      T* to = dw + o * p.window();
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        for (std::int64_t c = 0; c < p.C; ++c) {
          to[c * taps + tap] = sums[(tap * p.C + c) * wide + o];
        }
      }
      if (db) db[o] = sums[p.window() * wide + o];
    }
  });
}
