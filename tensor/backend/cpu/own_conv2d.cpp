// Convolution of channels-last images by the project's own direct kernels, for builds without
// oneDNN (the static preset) and for comparison (ATHANOR_CONV=own). No im2col: a block of six
// neighbouring pixels by two vectors of output channels stays in registers while the window runs.
//
// forward          y = window sums over x with a zero border, weights packed in strips
// backward_input   the same over dy spread by the stride, with the weights turned round
// Work is cut by image and row, so that the bits do not depend on the number of threads.
#include <algorithm>
#include <cstring>

#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/backend/cpu/scratch.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"
#include "tensor/backend/cpu/micro_gemm.h"
#include "tensor/backend/cpu/row.h"

#include "tensor/backend/cpu/own_conv2d.h"

namespace {

// `R` pixels by one strip of output channels.
template <int R, class T>
inline void window_block(const T* x, std::int64_t pixel, const Window& window, const T* weights,
                         const T* bias, T* to, std::int64_t ld) {
  using V = typename VectorOf<T>::type;
  constexpr std::int64_t W = VectorOf<T>::lanes;
  V left[R], right[R];
  for (int r = 0; r < R; ++r) {
    left[r] = *reinterpret_cast<const V*>(bias);
    right[r] = *reinterpret_cast<const V*>(bias + W);
  }
  for (std::int64_t s = 0; s < window.segments; ++s) {
    const T* from = x + window.offset(s);
    for (std::int64_t k = 0; k < window.length; ++k, weights += 2 * W) {
      const V b0 = *reinterpret_cast<const V*>(weights);
      const V b1 = *reinterpret_cast<const V*>(weights + W);
      for (int r = 0; r < R; ++r) {
        const T value = from[r * pixel + k];
        left[r] += value * b0;
        right[r] += value * b1;
      }
    }
  }
  for (int r = 0; r < R; ++r) {
    *reinterpret_cast<V*>(to + r * ld) = left[r];
    *reinterpret_cast<V*>(to + r * ld + W) = right[r];
  }
}

// A row of `count` output pixels for one strip; x points to the first window.
template <class T>
void window_row(const T* x, std::int64_t pixel, std::int64_t count, const Window& window,
                const T* weights, const T* bias, T* to, std::int64_t ld) {
  const auto block = [&]<int R>(std::int64_t j) {
    window_block<R>(x + j * pixel, pixel, window, weights, bias, to + j * ld, ld);
  };
  std::int64_t j = 0;
  for (; j + 6 <= count; j += 6) block.template operator()<6>(j);
  switch (count - j) {
    case 5:
      return block.template operator()<5>(j);
    case 4:
      return block.template operator()<4>(j);
    case 3:
      return block.template operator()<3>(j);
    case 2:
      return block.template operator()<2>(j);
    case 1:
      return block.template operator()<1>(j);
    default:
      return;
  }
}

// The sliding sums of one call: images x [N, H, W, C] in memory -> y [N, h, w, O], for one group.
template <class T>
struct Sliding {
  std::int64_t N, H, W, C;                      // of x in memory
  std::int64_t h, w, O;                         // of y in memory
  std::int64_t first_in, first_out, group_out;  // channels of this group
  Size2 border, spread, stride;
  Bordered shape;  // of an image with its border
  Window window;
  const T *x, *weights, *bias;  // weights in strips [strip][window][kMicroColumns]; bias padded
  T* y;

  std::int64_t strip_size() const { return window.segments * window.length * kMicroColumns<T>; }

  // Output rows [begin, end) of image n; `image` is the bordered copy.
  void rows(std::int64_t n, std::int64_t begin, std::int64_t end, const T* image) const {
    constexpr std::int64_t kWidth = kMicroColumns<T>;
    const std::int64_t pixel = stride.w * C;
    for (std::int64_t o = 0; o < group_out; o += kWidth) {
      const T* strip = weights + o / kWidth * strip_size();
      const std::int64_t columns = std::min(kWidth, group_out - o);
      for (std::int64_t i = begin; i < end; ++i) {
        const T* from = image + i * stride.h * shape.row() + first_in;
        T* to = y + ((n * h + i) * w) * O + first_out + o;
        if (columns == kWidth) {
          window_row(from, pixel, w, window, strip, bias + o, to, O);
        } else {
          edge(from, pixel, strip, bias + o, to, columns);
        }
      }
    }
  }

 private:
  // A strip that holds more columns than there are channels: computed aside in pieces.
  void edge(const T* from, std::int64_t pixel, const T* strip, const T* b, T* to,
            std::int64_t columns) const {
    constexpr std::int64_t kPiece = 24;
    T whole[kPiece * kMicroColumns<T>];
    for (std::int64_t j = 0; j < w; j += kPiece) {
      const std::int64_t count = std::min(kPiece, w - j);
      window_row(from + j * pixel, pixel, count, window, strip, b, whole, kMicroColumns<T>);
      for (std::int64_t r = 0; r < count; ++r) {
        for (std::int64_t c = 0; c < columns; ++c) {
          to[(j + r) * O + c] = whole[r * kMicroColumns<T> + c];
        }
      }
    }
  }
};

template <class T>
void slide(const Sliding<T>& s) {
  parallel_chunks(s.N, [&](std::int64_t n) {
    const auto bytes = static_cast<std::size_t>(s.shape.size()) * sizeof(T);
    T* image = static_cast<T*>(thread_scratch(bytes));
    copy_bordered(s.x + n * s.H * s.W * s.C, s.H, s.W, s.C, s.border, s.spread, s.shape, image);
    s.rows(n, 0, s.h, image);
  });
}

// Strips of weights for one group: value(p, q, c, o) is the weight of the window's place (p, q) and
// input channel c for output channel o.
template <class T, class Value>
void pack_weights(Size2 kernel, std::int64_t in, std::int64_t out, T* to, Value value) {
  constexpr std::int64_t kWidth = kMicroColumns<T>;
  for (std::int64_t o = 0; o < out; o += kWidth) {
    for (std::int64_t p = 0; p < kernel.h; ++p) {
      for (std::int64_t q = 0; q < kernel.w; ++q) {
        for (std::int64_t c = 0; c < in; ++c, to += kWidth) {
          for (std::int64_t i = 0; i < kWidth; ++i) {
            to[i] = o + i < out ? value(p, q, c, o + i) : T(0);
          }
        }
      }
    }
  }
}

template <class T>
void forward(const Conv2dArgs& a) {
  const std::int64_t I = a.w.sizes[1], O = a.w.sizes[0] / a.groups;
  const Size2 kernel{a.w.sizes[2], a.w.sizes[3]};
  Sliding<T> s{};
  s.N = a.x.sizes[0], s.C = a.x.sizes[1], s.H = a.x.sizes[2], s.W = a.x.sizes[3];
  s.O = a.y.sizes[1], s.h = a.y.sizes[2], s.w = a.y.sizes[3];
  s.group_out = O;
  s.border = a.padding, s.spread = 1, s.stride = a.stride;
  s.shape = {s.H + 2 * a.padding.h, s.W + 2 * a.padding.w, s.C};
  s.window = window_of(kernel, a.dilation, s.shape, I);
  s.x = a.x.as<T>(), s.y = a.y.as<T>();
  const std::int64_t taps = kernel.h * kernel.w * I, wide = rounded(O, kMicroColumns<T>);
  T* packed = static_cast<T*>(
      thread_scratch(static_cast<std::size_t>((taps + 1) * wide) * sizeof(T), Scratch::shared));
  T* bias = packed + taps * wide;
  s.weights = packed, s.bias = bias;
  for (std::int64_t g = 0; g < a.groups; ++g) {
    const T* w = a.w.as<T>() + g * O * taps;
    pack_weights(kernel, I, O, packed,
                 [&](std::int64_t p, std::int64_t q, std::int64_t c, std::int64_t o) {
                   return w[((o * I + c) * kernel.h + p) * kernel.w + q];
                 });
    for (std::int64_t o = 0; o < wide; ++o) {
      bias[o] = a.b.data && o < O ? a.b.as<T>()[g * O + o] : T(0);
    }
    s.first_in = g * I, s.first_out = g * O;
    slide(s);
  }
}

// dx[i] = sum of w[p] dy[j] over j s + p d - pad = i: a window over dy whose pixels lie `stride`
// apart, with the kernel turned round and a border of (kernel - 1) dilation - padding.
template <class T>
void backward_input(const Conv2dArgs& a) {
  const std::int64_t I = a.w.sizes[1], O = a.w.sizes[0] / a.groups;
  const Size2 kernel{a.w.sizes[2], a.w.sizes[3]};
  const Size2 reach{(kernel.h - 1) * a.dilation.h, (kernel.w - 1) * a.dilation.w};
  Sliding<T> s{};
  s.N = a.y.sizes[0], s.C = a.y.sizes[1], s.H = a.y.sizes[2], s.W = a.y.sizes[3];
  s.O = a.x.sizes[1], s.h = a.x.sizes[2], s.w = a.x.sizes[3];
  s.group_out = I;
  // A padding larger than the reach cuts pixels of dy off: the window starts inside the image then.
  const Size2 before{std::max<std::int64_t>(reach.h - a.padding.h, 0),
                     std::max<std::int64_t>(reach.w - a.padding.w, 0)};
  const Size2 skip{std::max<std::int64_t>(a.padding.h - reach.h, 0),
                   std::max<std::int64_t>(a.padding.w - reach.w, 0)};
  s.border = before, s.spread = a.stride, s.stride = 1;
  const auto extent = [](std::int64_t n, std::int64_t step) { return (n - 1) * step + 1; };
  s.shape = {std::max(before.h + extent(s.H, a.stride.h), skip.h + s.h + reach.h),
             std::max(before.w + extent(s.W, a.stride.w), skip.w + s.w + reach.w), s.C};
  s.window = window_of(kernel, a.dilation, s.shape, O);
  s.x = a.y.as<T>(), s.y = a.x.as<T>();
  const std::int64_t taps = kernel.h * kernel.w * O, wide = rounded(I, kMicroColumns<T>);
  T* packed = static_cast<T*>(
      thread_scratch(static_cast<std::size_t>((taps + 1) * wide) * sizeof(T), Scratch::shared));
  T* zeros = packed + taps * wide;
  std::memset(zeros, 0, static_cast<std::size_t>(wide) * sizeof(T));
  s.weights = packed, s.bias = zeros;
  for (std::int64_t g = 0; g < a.groups; ++g) {
    const T* w = a.w.as<T>() + g * O * I * kernel.h * kernel.w;
    pack_weights(kernel, O, I, packed,
                 [&](std::int64_t p, std::int64_t q, std::int64_t o, std::int64_t c) {
                   const std::int64_t up = kernel.h - 1 - p, back = kernel.w - 1 - q;
                   return w[((o * I + c) * kernel.h + up) * kernel.w + back];
                 });
    s.first_in = g * O + skip.h * s.shape.row() + skip.w * s.C;
    s.first_out = g * I;
    slide(s);
  }
}

}  // namespace

void own_conv2d(const Conv2dArgs& args) {
  visit_float(args.x.dtype, [&]<class T>(Tag<T>) { forward<T>(args); });
}
void own_conv2d_backward_input(const Conv2dArgs& args) {
  visit_float(args.x.dtype, [&]<class T>(Tag<T>) { backward_input<T>(args); });
}

#include "tensor/backend/cpu/isa_end.h"
