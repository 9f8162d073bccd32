// The gradient of a convolution for its weight: images in parts, whose sums are added in order.
//
// Included after conv2d_window.h, into an unnamed namespace.
#pragma once

// Parts of the sums of a weight's gradient.
constexpr std::int64_t kConvParts = 16;
// What its innermost loops read again and again at a time: most of a first-level cache.
constexpr std::int64_t kNearBytes = 24 << 10;

// sums [R, kMicroColumns] += sum over the pixels of `rows` output rows of x [R values of the
// window] times dy [kMicroColumns channels]. `x` is where the first pixel's values start, `dy` its
// channels.
template <int R, class T>
inline void weight_block(const Pass<T>& p, std::int64_t rows, const T* x, std::int64_t row,
                         const T* dy, std::int64_t ldy, T* sums, std::int64_t lds) {
  using V = typename VectorOf<T>::type;
  constexpr std::int64_t W = VectorOf<T>::lanes;
  V left[R], right[R];
  ATHANOR_UNROLL
  for (int r = 0; r < R; ++r) {
    left[r] = load_lanes(sums + r * lds);
    right[r] = load_lanes(sums + r * lds + W);
  }
  const std::int64_t step = p.sw * p.C;
  for (std::int64_t i = 0; i < rows; ++i, x += p.sh * row) {
    const T* a = x;
    for (std::int64_t j = 0; j < p.ow; ++j, a += step, dy += ldy) {
      const V b0 = load_lanes(dy), b1 = load_lanes(dy + W);
      ATHANOR_UNROLL
      for (int r = 0; r < R; ++r) {
        left[r] += a[r] * b0;
        right[r] += a[r] * b1;
      }
    }
  }
  ATHANOR_UNROLL
  for (int r = 0; r < R; ++r) {
    store_lanes(sums + r * lds, left[r]);
    store_lanes(sums + r * lds + W, right[r]);
  }
}

template <class T>
inline void weight_rows(std::int64_t count, const Pass<T>& p, std::int64_t rows, const T* x,
                        std::int64_t row, const T* dy, std::int64_t ldy, T* sums,
                        std::int64_t lds) {
  switch (count) {
    case 6:
      return weight_block<6>(p, rows, x, row, dy, ldy, sums, lds);
    case 5:
      return weight_block<5>(p, rows, x, row, dy, ldy, sums, lds);
    case 4:
      return weight_block<4>(p, rows, x, row, dy, ldy, sums, lds);
    case 3:
      return weight_block<3>(p, rows, x, row, dy, ldy, sums, lds);
    case 2:
      return weight_block<2>(p, rows, x, row, dy, ldy, sums, lds);
    default:
      return weight_block<1>(p, rows, x, row, dy, ldy, sums, lds);
  }
}

// total [wide] += the rows of dy [pixels, wide].
template <class T>
void add_pixels(std::int64_t pixels, const T* dy, std::int64_t wide, T* total) {
  constexpr std::int64_t W = VectorOf<T>::lanes;
  for (std::int64_t o = 0; o < wide; o += kMicroColumns<T>) {
    auto left = load_lanes(total + o), right = load_lanes(total + o + W);
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
      left += load_lanes(dy + pixel * wide + o);
      right += load_lanes(dy + pixel * wide + o + W);
    }
    store_lanes(total + o, left);
    store_lanes(total + o + W, right);
  }
}

// sums [window, wide] += what image n gives with the gradient dy [oh, ow, O] of its result, and,
// for a bias, sums[window] += the sum of dy; `wide` is O rounded up to whole strips. `next` is as
// large as dy and needed after it; `buffer` has room for weight_buffer() elements.
template <class T>
void add_image(const Pass<T>& p, bool bias, std::int64_t n, const T* dy, const T* next, T* sums,
               std::int64_t wide, T* buffer) {
  constexpr std::int64_t kWidth = kMicroColumns<T>;
  const Image<T> image(p, n, 0, p.oh, buffer);
  const std::int64_t pixels = p.oh * p.ow;
  if (wide != p.O) {  // whole strips, with zeros
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
      (p.sh * image.row + p.ow * kWidth) * static_cast<std::int64_t>(sizeof(T));
  const std::int64_t each = near < kNearBytes ? kNearBytes / near : 1;
  const std::int64_t blocks =
      ceil_div(p.oh, each) * p.strips() * p.kh * ceil_div(p.run(), kMicroRows);
  const bool more = n + 1 < p.N;
  ImageAhead<T> next_x(p.x + (n + 1) * p.H * p.W * p.C, more ? p.H * p.W * p.C : 0, blocks);
  ImageAhead<T> next_dy(next, more ? pixels * p.O : 0, blocks);
  for (std::int64_t first = 0; first < p.oh; first += each) {
    const std::int64_t rows = smaller(each, p.oh - first);
    const T* const x = image.data + first * p.sh * image.row;
    for (std::int64_t o = 0; o < wide; o += kWidth) {
      for (std::int64_t i = 0; i < p.kh; ++i) {
        for (std::int64_t m = 0; m < p.run(); m += kMicroRows) {
          next_x.ask();
          next_dy.ask();
          weight_rows(smaller(kMicroRows, p.run() - m), p, rows, x + i * image.row + m, image.row,
                      dy + first * p.ow * wide + o, wide, sums + (i * p.run() + m) * wide + o,
                      wide);
        }
      }
    }
  }
}

// How the images of a pass are cut into parts.
template <class T>
struct WeightParts {
  std::int64_t wide, size, each, count;  // size: elements a part's sums; each: images a part

  explicit WeightParts(const Pass<T>& p)
      : wide(p.strips() * kMicroColumns<T>),
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
