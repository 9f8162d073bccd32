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

#include "tensor/backend/cpu/conv2d_window.h"

// Parts of the sums of a weight's gradient.
constexpr std::int64_t kConvParts = 16;
// What its innermost loops read again and again at a time: most of a first-level cache.
constexpr std::int64_t kNearBytes = 24 << 10;

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

template <class T>
void forward_typed(const Conv2dArgs& a) {
  Pass<T> p = forward_pass<T>(a);
  if (a.relu) p.floor = T(0);
  p.pool = a.pool;
  const T* w = a.w.as<const T>();
  run_pass(p, [&](std::int64_t o, std::int64_t i, std::int64_t j, std::int64_t c) {
    return w[((o * p.C + c) * p.kh + i) * p.kw + j];
  });
}

// The indices r, r + step, ... below `size` along one axis of dx, and the taps of the kernel that
// reach them, last first: index r + step i is reached by dy[i - padding + t] through tap(t).
struct InputPhase {
  std::int64_t count, taps, padding, last, step;

  InputPhase(std::int64_t size, std::int64_t kernel, std::int64_t stride, std::int64_t pad,
             std::int64_t r)
      : count((size - r + stride - 1) / stride), step(stride) {
    const std::int64_t first = (r + pad) % stride;
    taps = kernel > first ? (kernel - first + stride - 1) / stride : 0;
    last = first + (taps - 1) * stride;
    padding = taps - 1 - (r + pad) / stride;
  }
  std::int64_t tap(std::int64_t t) const { return last - t * step; }
};

template <class T>
void clear_pixels(const Pass<T>& p) {
  parallel_for(p.N, 16384 / (p.oh * p.ow * p.O) + 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      for (std::int64_t i = 0; i < p.oh; ++i) {
        for (std::int64_t j = 0; j < p.ow; ++j) {
          T* to = p.y + n * p.y_image + i * p.y_row + j * p.y_pixel;
          for (std::int64_t o = 0; o < p.O; ++o) to[o] = T(0);
        }
      }
    }
  });
}

// dx is the convolution of dy with the kernel turned around, input and output channels exchanged;
// with a step s, s of them side by side: the rows of dx that are r modulo s see the kernel's rows
// that are r + padding modulo s, and the same for columns.
template <class T>
void backward_input_typed(const Conv2dArgs& a) {
  const Pass<T> f = forward_pass<T>(a);
  const T* w = a.w.as<const T>();
  T* const dx = a.x.as<T>();
  for (std::int64_t r = 0; r < smaller(f.sh, f.H); ++r) {
    const InputPhase rows(f.H, f.kh, f.sh, f.ph, r);
    for (std::int64_t c = 0; c < smaller(f.sw, f.W); ++c) {
      const InputPhase columns(f.W, f.kw, f.sw, f.pw, c);
      const Pass<T> p{f.N,
                      f.oh,
                      f.ow,
                      f.O,
                      f.C,
                      rows.taps,
                      columns.taps,
                      rows.count,
                      columns.count,
                      1,
                      1,
                      rows.padding,
                      columns.padding,
                      f.y,
                      dx + (r * f.W + c) * f.C,
                      nullptr,
                      f.H * f.W * f.C,
                      f.sh * f.W * f.C,
                      f.sw * f.C};
      if (p.window() == 0) {
        clear_pixels(p);
        continue;
      }
      run_pass(p, [&](std::int64_t ci, std::int64_t i, std::int64_t j, std::int64_t o) {
        return w[((o * f.C + ci) * f.kh + rows.tap(i)) * f.kw + columns.tap(j)];
      });
    }
  }
}

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

// sums [window, wide] += what image n gives, and, for a bias, sums[window] += its sum of dy; `wide`
// is O rounded up to whole strips.
template <class T>
void add_image(const Pass<T>& p, bool bias, std::int64_t n, T* sums, std::int64_t wide, T* buffer) {
  constexpr std::int64_t kWidth = kMicroColumns<T>;
  const Image<T> image(p, n, 0, p.oh, buffer);
  const std::int64_t pixels = p.oh * p.ow;
  const T* dy = p.y + n * pixels * p.O;
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
  Ahead<T> next_x(p.x + (n + 1) * p.H * p.W * p.C, more ? p.H * p.W * p.C : 0, blocks);
  Ahead<T> next_dy(p.y + (n + 1) * pixels * p.O, more ? pixels * p.O : 0, blocks);
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
      add_image(p, a.b.data != nullptr, n, own, wide, buffer);
    }
  });
  // The first part gathers the others; then it is turned into the weight's order.
  parallel_for(size, 16384 / parts + 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t part = 1; part < parts; ++part) {
      const T* from = sums + part * size;
      ATHANOR_INDEPENDENT
      for (std::int64_t i = begin; i < end; ++i) sums[i] += from[i];
    }
  });
  const std::int64_t taps = p.kh * p.kw;
  parallel_for(p.O, 16384 / p.window() + 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t o = begin; o < end; ++o) {
      T* dw = a.w.as<T>() + o * p.window();
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        for (std::int64_t c = 0; c < p.C; ++c) {
          dw[c * taps + tap] = sums[(tap * p.C + c) * wide + o];
        }
      }
      if (a.b.data) a.b.as<T>()[o] = sums[p.window() * wide + o];
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
