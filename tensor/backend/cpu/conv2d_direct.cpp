// Direct convolution in N, H, W, C order. The window of an output pixel is kH runs of kW C values
// that lie one after another in a zero-padded copy of the image, so that a block of pixels times a
// strip of output channels is a matrix product whose left side is read in place: nothing like
// im2col is written. Sums are cut by shape alone: the same bits at every thread count.
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "tensor/backend/conv_args.h"
#include "tensor/backend/cpu/isa_conv2d.h"
#include "tensor/backend/cpu/scratch.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"
#include "tensor/backend/cpu/isa_integers.h"
#include "tensor/backend/cpu/row.h"

#include "tensor/backend/cpu/micro_gemm.h"

namespace {

// Tasks wanted when there are few images, and parts of the sums of a weight's gradient.
constexpr std::int64_t kConvTasks = 8;
constexpr std::int64_t kConvParts = 16;

// A forward pass: x [N, H, W, C] -> y [N, oh, ow, O].
template <class T>
struct Pass {
  std::int64_t N, H, W, C, O, kh, kw, oh, ow;
  std::int64_t sh, sw, ph, pw;  // stride, padding before the first row and column
  const T* x;
  T* y;
  const T* bias;  // [O] or null

  std::int64_t strips() const { return ceil_div(O, kMicroColumns<T>); }
  std::int64_t window() const { return kh * kw * C; }
  std::int64_t run() const { return kw * C; }
  // What the windows of `rows` output rows touch.
  std::int64_t padded_rows(std::int64_t rows) const { return (rows - 1) * sh + kh; }
  std::int64_t padded_row() const { return ((ow - 1) * sw + kw) * C; }
};

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

// R output pixels, whose windows start at image + at[r], times one strip of weights
// [kh, run, kMicroColumns], added to `start`; to y with ldy elements between pixels.
template <int R, class T>
inline void window_block(const T* image, const std::int64_t* at, std::int64_t kh, std::int64_t row,
                         std::int64_t run, const T* w, const T* start, T* y, std::int64_t ldy) {
  using V = typename VectorOf<T>::type;
  constexpr std::int64_t W = VectorOf<T>::lanes;
  V left[R], right[R];
  ATHANOR_UNROLL
  for (int r = 0; r < R; ++r) {
    left[r] = load_lanes(start);
    right[r] = load_lanes(start + W);
  }
  for (std::int64_t i = 0; i < kh; ++i, image += row) {
    const T* a[R];
    ATHANOR_UNROLL
    for (int r = 0; r < R; ++r) a[r] = image + at[r];
    for (std::int64_t l = 0; l < run; ++l, w += 2 * W) {
      const V b0 = load_lanes(w), b1 = load_lanes(w + W);
      ATHANOR_UNROLL
      for (int r = 0; r < R; ++r) {
        const T value = a[r][l];
        left[r] += value * b0;
        right[r] += value * b1;
      }
    }
  }
  ATHANOR_UNROLL
  for (int r = 0; r < R; ++r) {
    store_lanes(y + r * ldy, left[r]);
    store_lanes(y + r * ldy + W, right[r]);
  }
}

template <class T>
inline void window_rows(std::int64_t count, const T* image, const std::int64_t* at,
                        const Pass<T>& p, std::int64_t row, const T* w, const T* start, T* y,
                        std::int64_t ldy) {
  switch (count) {
    case 6:
      return window_block<6>(image, at, p.kh, row, p.run(), w, start, y, ldy);
    case 5:
      return window_block<5>(image, at, p.kh, row, p.run(), w, start, y, ldy);
    case 4:
      return window_block<4>(image, at, p.kh, row, p.run(), w, start, y, ldy);
    case 3:
      return window_block<3>(image, at, p.kh, row, p.run(), w, start, y, ldy);
    case 2:
      return window_block<2>(image, at, p.kh, row, p.run(), w, start, y, ldy);
    default:
      return window_block<1>(image, at, p.kh, row, p.run(), w, start, y, ldy);
  }
}

// Output rows [first, first + rows) of image n; `strips` as pack_weights leaves them.
template <class T>
void forward_rows(const Pass<T>& p, std::int64_t n, std::int64_t first, std::int64_t rows,
                  const T* strips, T* buffer) {
  constexpr std::int64_t kWidth = kMicroColumns<T>;
  const Image<T> image(p, n, first, rows, buffer);
  const std::int64_t pixels = rows * p.ow;
  alignas(64) T start[kWidth], edge[kMicroRows * kWidth];
  for (std::int64_t o = 0; o < p.O; o += kWidth, strips += p.window() * kWidth) {
    const std::int64_t width = smaller(kWidth, p.O - o);
    for (std::int64_t i = 0; i < kWidth; ++i) start[i] = p.bias && i < width ? p.bias[o + i] : T(0);
    T* y = p.y + ((n * p.oh + first) * p.ow) * p.O + o;
    std::int64_t at[kMicroRows], row = 0, column = 0;
    for (std::int64_t pixel = 0; pixel < pixels; pixel += kMicroRows, y += kMicroRows * p.O) {
      const std::int64_t count = smaller(kMicroRows, pixels - pixel);
      for (std::int64_t r = 0; r < count; ++r) {
        at[r] = row * p.sh * image.row + column * p.sw * p.C;
        if (++column == p.ow) column = 0, ++row;
      }
      if (width == kWidth) {
        window_rows(count, image.data, at, p, image.row, strips, start, y, p.O);
        continue;
      }
      window_rows(count, image.data, at, p, image.row, strips, start, edge, kWidth);
      for (std::int64_t r = 0; r < count; ++r) {
        for (std::int64_t i = 0; i < width; ++i) y[r * p.O + i] = edge[r * kWidth + i];
      }
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
  const std::int64_t rows = ceil_div(p.oh, pieces), count = ceil_div(p.oh, rows);
  parallel_chunks(p.N * count, [&](std::int64_t task) {
    const std::int64_t n = task / count, first = task % count * rows;
    const std::int64_t here = smaller(rows, p.oh - first);
    T* const buffer = static_cast<T*>(
        thread_scratch(p.padded_rows(here) * p.padded_row() * sizeof(T), Scratch::task));
    forward_rows(p, n, first, here, static_cast<const T*>(strips), buffer);
  });
}

// As the public op sees it.
template <class T>
Pass<T> forward_pass(const Conv2dArgs& a) {
  return {a.x.sizes[0], a.x.sizes[2],      a.x.sizes[3], a.x.sizes[1],
          a.y.sizes[1], a.w.sizes[2],      a.w.sizes[3], a.y.sizes[2],
          a.y.sizes[3], a.stride.h,        a.stride.w,   a.padding.h,
          a.padding.w,  a.x.as<const T>(), a.y.as<T>(),  a.b.as<const T>()};
}

template <class T>
void forward_typed(const Conv2dArgs& a) {
  const Pass<T> p = forward_pass<T>(a);
  const T* w = a.w.as<const T>();
  run_pass(p, [&](std::int64_t o, std::int64_t i, std::int64_t j, std::int64_t c) {
    return w[((o * p.C + c) * p.kh + i) * p.kw + j];
  });
}

// dx is the convolution of dy with the kernel turned around, input and output channels exchanged.
template <class T>
void backward_input_typed(const Conv2dArgs& a) {
  const Pass<T> f = forward_pass<T>(a);
  const Pass<T> p{f.N,
                  f.oh,
                  f.ow,
                  f.O,
                  f.C,
                  f.kh,
                  f.kw,
                  f.H,
                  f.W,
                  1,
                  1,
                  f.kh - 1 - f.ph,
                  f.kw - 1 - f.pw,
                  f.y,
                  a.x.as<T>(),
                  nullptr};
  const T* w = a.w.as<const T>();
  run_pass(p, [&](std::int64_t c, std::int64_t i, std::int64_t j, std::int64_t o) {
    return w[((o * f.C + c) * f.kh + (f.kh - 1 - i)) * f.kw + (f.kw - 1 - j)];
  });
}

// sums [R, kMicroColumns] += sum over the pixels of an image of x [R values of the window] times
// dy [kMicroColumns channels]. `x` is where the first pixel's values start, `dy` its channels.
template <int R, class T>
inline void weight_block(const Pass<T>& p, const T* x, std::int64_t row, const T* dy,
                         std::int64_t ldy, T* sums, std::int64_t lds) {
  using V = typename VectorOf<T>::type;
  constexpr std::int64_t W = VectorOf<T>::lanes;
  V left[R], right[R];
  ATHANOR_UNROLL
  for (int r = 0; r < R; ++r) {
    left[r] = load_lanes(sums + r * lds);
    right[r] = load_lanes(sums + r * lds + W);
  }
  const std::int64_t step = p.sw * p.C;
  for (std::int64_t i = 0; i < p.oh; ++i, x += p.sh * row) {
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
inline void weight_rows(std::int64_t count, const Pass<T>& p, const T* x, std::int64_t row,
                        const T* dy, std::int64_t ldy, T* sums, std::int64_t lds) {
  switch (count) {
    case 6:
      return weight_block<6>(p, x, row, dy, ldy, sums, lds);
    case 5:
      return weight_block<5>(p, x, row, dy, ldy, sums, lds);
    case 4:
      return weight_block<4>(p, x, row, dy, ldy, sums, lds);
    case 3:
      return weight_block<3>(p, x, row, dy, ldy, sums, lds);
    case 2:
      return weight_block<2>(p, x, row, dy, ldy, sums, lds);
    default:
      return weight_block<1>(p, x, row, dy, ldy, sums, lds);
  }
}

// sums [window, wide] += what image n gives, and sums[window] += its sum of dy; `wide` is O rounded
// up to whole strips.
template <class T>
void add_image(const Pass<T>& p, std::int64_t n, T* sums, std::int64_t wide, T* buffer) {
  constexpr std::int64_t kWidth = kMicroColumns<T>;
  const Image<T> image(p, n, 0, p.oh, buffer);
  const std::int64_t pixels = p.oh * p.ow;
  const T* dy = p.y + n * pixels * p.O;
  T* total = sums + p.window() * wide;
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
    for (std::int64_t o = 0; o < p.O; ++o) total[o] += dy[pixel * p.O + o];
  }
  if (wide != p.O) {  // whole strips, with zeros
    T* to = buffer + p.padded_rows(p.oh) * p.padded_row();
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
      for (std::int64_t o = 0; o < wide; ++o) {
        to[pixel * wide + o] = o < p.O ? dy[pixel * p.O + o] : T(0);
      }
    }
    dy = to;
  }
  for (std::int64_t o = 0; o < wide; o += kWidth) {
    for (std::int64_t i = 0; i < p.kh; ++i) {
      for (std::int64_t m = 0; m < p.run(); m += kMicroRows) {
        weight_rows(smaller(kMicroRows, p.run() - m), p, image.data + i * image.row + m, image.row,
                    dy + o, wide, sums + (i * p.run() + m) * wide + o, wide);
      }
    }
  }
}

template <class T>
void backward_weight_typed(const Conv2dArgs& a) {
  const Pass<T> p = forward_pass<T>(a);
  const std::int64_t wide = p.strips() * kMicroColumns<T>, size = (p.window() + 1) * wide;
  const std::int64_t each = ceil_div(p.N, smaller(p.N, kConvParts)), parts = ceil_div(p.N, each);
  T* const sums = static_cast<T*>(thread_scratch(parts * size * sizeof(T), Scratch::shared));
  const std::int64_t copy = wide != p.O ? p.oh * p.ow * wide : 0;
  parallel_chunks(parts, [&](std::int64_t part) {
    T* const own = sums + part * size;
    for (std::int64_t i = 0; i < size; ++i) own[i] = T(0);
    T* const buffer = static_cast<T*>(
        thread_scratch((p.padded_rows(p.oh) * p.padded_row() + copy) * sizeof(T), Scratch::task));
    for (std::int64_t n = part * each; n < smaller(p.N, (part + 1) * each); ++n) {
      add_image(p, n, own, wide, buffer);
    }
  });
  const auto total = [&](std::int64_t at) {
    T value = sums[at];
    for (std::int64_t part = 1; part < parts; ++part) value += sums[part * size + at];
    return value;
  };
  const std::int64_t taps = p.kh * p.kw;
  parallel_for(p.O, 16384 / (p.window() * parts) + 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t o = begin; o < end; ++o) {
      T* dw = a.w.as<T>() + o * p.window();
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        for (std::int64_t c = 0; c < p.C; ++c) {
          dw[c * taps + tap] = total((tap * p.C + c) * wide + o);
        }
      }
      if (a.b.data) a.b.as<T>()[o] = total(p.window() * wide + o);
    }
  });
}

}  // namespace

void conv2d(const Conv2dArgs& a) {
  visit_float(a.x.dtype, [&]<class T>(Tag<T>) { forward_typed<T>(a); });
}

void conv2d_backward_input(const Conv2dArgs& a) {
  visit_float(a.x.dtype, [&]<class T>(Tag<T>) { backward_input_typed<T>(a); });
}

void conv2d_backward_weight(const Conv2dArgs& a) {
  visit_float(a.x.dtype, [&]<class T>(Tag<T>) { backward_weight_typed<T>(a); });
}

#include "tensor/backend/cpu/isa_end.h"
