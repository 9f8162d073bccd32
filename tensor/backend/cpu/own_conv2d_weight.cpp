// The gradient of own_conv2d.cpp's convolution for the weights: for each image dw = sum over pixels
// of x's window (outer) dy, six places of the window by two vectors of output channels in
// registers. Images are added up in an order that depends on the shape alone.
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

// For one image: sums [taps, wide] += window values (outer) dy, wide = O rounded up; dy is padded
// to `wide` channels.
template <class T>
struct WeightSums {
  std::int64_t h, w, wide;  // of dy
  std::int64_t pixel, row;  // steps in the bordered image from one output pixel or row to the next
  Window window;

  void add(const T* image, const T* dy, T* sums) const {
    for (std::int64_t s = 0; s < window.segments; ++s) {
      const T* from = image + window.offset(s);
      T* to = sums + s * window.length * wide;
      std::int64_t k = 0;
      for (; k + 6 <= window.length; k += 6) taps<6>(from + k, dy, to + k * wide);
      switch (window.length - k) {
        case 5:
          taps<5>(from + k, dy, to + k * wide);
          break;
        case 4:
          taps<4>(from + k, dy, to + k * wide);
          break;
        case 3:
          taps<3>(from + k, dy, to + k * wide);
          break;
        case 2:
          taps<2>(from + k, dy, to + k * wide);
          break;
        case 1:
          taps<1>(from + k, dy, to + k * wide);
          break;
        default:
          break;
      }
    }
  }

 private:
  template <int R>
  void taps(const T* from, const T* dy, T* to) const {
    using V = typename VectorOf<T>::type;
    constexpr std::int64_t W = VectorOf<T>::lanes;
    for (std::int64_t o = 0; o < wide; o += 2 * W) {
      V left[R], right[R];
      for (int r = 0; r < R; ++r) {
        left[r] = *reinterpret_cast<const V*>(to + r * wide + o);
        right[r] = *reinterpret_cast<const V*>(to + r * wide + o + W);
      }
      for (std::int64_t i = 0; i < h; ++i) {
        const T* x = from + i * row;
        const T* d = dy + i * w * wide + o;
        for (std::int64_t j = 0; j < w; ++j, x += pixel, d += wide) {
          const V b0 = *reinterpret_cast<const V*>(d), b1 = *reinterpret_cast<const V*>(d + W);
          for (int r = 0; r < R; ++r) {
            left[r] += x[r] * b0;
            right[r] += x[r] * b1;
          }
        }
      }
      for (int r = 0; r < R; ++r) {
        *reinterpret_cast<V*>(to + r * wide + o) = left[r];
        *reinterpret_cast<V*>(to + r * wide + o + W) = right[r];
      }
    }
  }
};

// Images are cut into at most this many parts, whose sums are added in order.
constexpr std::int64_t kWeightParts = 16;

template <class T>
void backward_weight(const Conv2dArgs& a) {
  const std::int64_t I = a.w.sizes[1], O = a.w.sizes[0] / a.groups;
  const Size2 kernel{a.w.sizes[2], a.w.sizes[3]};
  const std::int64_t N = a.x.sizes[0], C = a.x.sizes[1], H = a.x.sizes[2], W = a.x.sizes[3];
  const std::int64_t h = a.y.sizes[2], w = a.y.sizes[3], all_out = a.y.sizes[1];
  const Bordered shape{H + 2 * a.padding.h, W + 2 * a.padding.w, C};
  const Window window = window_of(kernel, a.dilation, shape, I);
  const std::int64_t taps = kernel.h * kernel.w * I, wide = rounded(O, kMicroColumns<T>);
  const WeightSums<T> sums{h, w, wide, a.stride.w * C, a.stride.h * shape.row(), window};
  const std::int64_t parts = std::min(N, kWeightParts), images = (N + parts - 1) / parts;
  const std::int64_t part_size = (taps + 1) * wide;  // the last row is the bias
  T* all = static_cast<T*>(
      thread_scratch(static_cast<std::size_t>(parts * part_size) * sizeof(T), Scratch::shared));
  for (std::int64_t g = 0; g < a.groups; ++g) {
    parallel_chunks(parts, [&](std::int64_t part) {
      T* mine = all + part * part_size;
      std::memset(mine, 0, static_cast<std::size_t>(part_size) * sizeof(T));
      // The image with its border, and dy with its channels rounded up.
      const auto both = static_cast<std::size_t>(shape.size() + h * w * wide) * sizeof(T);
      T* image = static_cast<T*>(thread_scratch(both));
      T* copy = image + shape.size();
      T* bias = mine + taps * wide;
      for (std::int64_t n = part * images; n < std::min(N, (part + 1) * images); ++n) {
        copy_bordered(a.x.as<T>() + n * H * W * C, H, W, C, a.padding, 1, shape, image);
        const T* dy = a.y.as<T>() + n * h * w * all_out + g * O;
        if (wide != all_out) {
          for (std::int64_t p = 0; p < h * w; ++p) {
            for (std::int64_t o = 0; o < O; ++o) copy[p * wide + o] = dy[p * all_out + o];
            for (std::int64_t o = O; o < wide; ++o) copy[p * wide + o] = T(0);
          }
          dy = copy;
        }
        sums.add(image + g * I, dy, mine);
        for (std::int64_t p = 0; a.b.data && p < h * w; ++p) {
          for (std::int64_t o = 0; o < wide; ++o) bias[o] += dy[p * wide + o];
        }
      }
    });
    for (std::int64_t part = 1; part < parts; ++part) {
      for (std::int64_t i = 0; i < part_size; ++i) all[i] += all[part * part_size + i];
    }
    T* dw = a.w.as<T>() + g * O * taps;
    for (std::int64_t o = 0; o < O; ++o) {
      for (std::int64_t c = 0; c < I; ++c) {
        for (std::int64_t tap = 0; tap < kernel.h * kernel.w; ++tap) {
          dw[(o * I + c) * kernel.h * kernel.w + tap] = all[(tap * I + c) * wide + o];
        }
      }
      if (a.b.data) a.b.as<T>()[g * O + o] = all[taps * wide + o];
    }
  }
}

}  // namespace

void own_conv2d_backward_weight(const Conv2dArgs& args) {
  visit_float(args.x.dtype, [&]<class T>(Tag<T>) { backward_weight<T>(args); });
}

#include "tensor/backend/cpu/isa_end.h"
