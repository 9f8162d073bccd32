// Pooling of images in N, H, W, C order: the inner loop runs over channels, which lie side by side.
// Images are spread over threads; no two threads write to one image.
#include <algorithm>

#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"

namespace {

// Sizes of the planes, and the tap loop that all kernels share.
struct Planes {
  std::int64_t N, C, H, W, Ho, Wo;
  Size2 kernel, stride, padding;

  explicit Planes(const Pool2dArgs& a)
      : N(a.x.sizes[0]),
        C(a.x.sizes[1]),
        H(a.x.sizes[2]),
        W(a.x.sizes[3]),
        Ho(a.y.sizes[2]),
        Wo(a.y.sizes[3]),
        kernel(a.kernel),
        stride(a.stride),
        padding(a.padding) {}

  std::int64_t x_size() const { return C * H * W; }  // elements of one image
  std::int64_t y_size() const { return C * Ho * Wo; }

  // Calls f(place in x's plane, whether it is the window's first) for each place of window (i, j).
  template <class F>
  void for_each_tap(std::int64_t i, std::int64_t j, F&& f) const {
    const std::int64_t top = i * stride.h - padding.h, left = j * stride.w - padding.w;
    const std::int64_t bottom = top + kernel.h < H ? top + kernel.h : H;
    const std::int64_t right = left + kernel.w < W ? left + kernel.w : W;
    bool first = true;
    for (std::int64_t row = top > 0 ? top : 0; row < bottom; ++row) {
      for (std::int64_t column = left > 0 ? left : 0; column < right; ++column) {
        f(row * W + column, first);
        first = false;
      }
    }
  }

  // Calls f(n, i) for each row of each image of y, on several threads.
  template <class F>
  void for_each_row(F&& f) const {
    parallel_for(N * Ho, 32768 / (Wo * C * kernel.h * kernel.w) + 1,
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t r = begin; r < end; ++r) f(r / Ho, r % Ho);
                 });
  }

  // Calls f(n) for each image, on several threads.
  template <class F>
  void for_each_image(F&& f) const {
    parallel_for(N, 32768 / (x_size() + 1) + 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t n = begin; n < end; ++n) f(n);
    });
  }

  // Whether the windows cover each place of x exactly once.
  bool tile_exactly() const {
    return kernel == stride && padding == Size2(0) && Ho * kernel.h == H && Wo * kernel.w == W;
  }
};

// Elements of x, y, index: one pixel is C values.
template <class T, bool kIndexed>
void max_pool2d_typed(const Pool2dArgs& a) {
  const Planes p(a);
  const std::int64_t C = p.C;
  p.for_each_row([&](std::int64_t n, std::int64_t i) {
    const T* __restrict x = a.x.as<T>() + n * p.x_size();
    for (std::int64_t j = 0; j < p.Wo; ++j) {
      const std::int64_t at = n * p.y_size() + (i * p.Wo + j) * C;
      T* __restrict y = a.y.as<T>() + at;
      std::int32_t* __restrict index = kIndexed ? a.index.as<std::int32_t>() + at : nullptr;
      p.for_each_tap(i, j, [&](std::int64_t place, bool first) {
        const T* __restrict from = x + place * C;
        const auto here = static_cast<std::int32_t>(place);
        if (first) {
          for (std::int64_t c = 0; c < C; ++c) {
            y[c] = from[c];
            if (kIndexed) index[c] = here;
          }
          return;
        }
        ATHANOR_INDEPENDENT
        for (std::int64_t c = 0; c < C; ++c) {
          const T value = from[c], best = y[c];
          const bool better = !(value <= best) && best == best;  // NaN wins, the first one stays
          y[c] = better ? value : best;
          if (kIndexed) index[c] = better ? here : index[c];
        }
      });
    }
  });
}

template <class T, bool kTiles>
void max_pool2d_backward_image(const Pool2dArgs& a, const Planes& p, std::int64_t n) {
  const std::int64_t C = p.C;
  T* __restrict dx = a.x.as<T>() + n * p.x_size();
  if (!kTiles) {
    for (std::int64_t k = 0; k < p.x_size(); ++k) dx[k] = T(0);
  }
  for (std::int64_t i = 0; i < p.Ho; ++i) {
    for (std::int64_t j = 0; j < p.Wo; ++j) {
      const std::int64_t at = n * p.y_size() + (i * p.Wo + j) * C;
      const T* __restrict dy = a.y.as<T>() + at;
      const std::int32_t* __restrict index = a.index.as<std::int32_t>() + at;
      p.for_each_tap(i, j, [&](std::int64_t place, bool) {
        const auto here = static_cast<std::int32_t>(place);
        T* __restrict to = dx + place * C;
        ATHANOR_INDEPENDENT
        for (std::int64_t c = 0; c < C; ++c) {
          const T share = index[c] == here ? dy[c] : T(0);
          to[c] = kTiles ? share : to[c] + share;
        }
      });
    }
  }
}

template <class T>
void max_pool2d_gather_typed(const Pool2dArgs& a) {
  const Planes p(a);
  p.for_each_row([&](std::int64_t n, std::int64_t i) {
    const T* x = a.x.as<T>() + n * p.x_size();
    for (std::int64_t j = 0; j < p.Wo; ++j) {
      const std::int64_t at = n * p.y_size() + (i * p.Wo + j) * p.C;
      T* y = a.y.as<T>() + at;
      const std::int32_t* index = a.index.as<std::int32_t>() + at;
      for (std::int64_t c = 0; c < p.C; ++c) y[c] = x[index[c] * p.C + c];
    }
  });
}

template <class T>
void avg_pool2d_typed(const Pool2dArgs& a) {
  const Planes p(a);
  const std::int64_t C = p.C;
  const T share = T(1) / static_cast<T>(p.kernel.h * p.kernel.w);
  p.for_each_row([&](std::int64_t n, std::int64_t i) {
    const T* __restrict x = a.x.as<T>() + n * p.x_size();
    for (std::int64_t j = 0; j < p.Wo; ++j) {
      T* __restrict y = a.y.as<T>() + n * p.y_size() + (i * p.Wo + j) * C;
      p.for_each_tap(i, j, [&](std::int64_t place, bool first) {
        const T* __restrict from = x + place * C;
        for (std::int64_t c = 0; c < C; ++c) y[c] = first ? from[c] : y[c] + from[c];
      });
      ATHANOR_INDEPENDENT
      for (std::int64_t c = 0; c < C; ++c) y[c] *= share;
    }
  });
}

template <class T>
void avg_pool2d_backward_typed(const Pool2dArgs& a) {
  const Planes p(a);
  const std::int64_t C = p.C;
  const T share = T(1) / static_cast<T>(p.kernel.h * p.kernel.w);
  p.for_each_image([&](std::int64_t n) {
    T* __restrict dx = a.x.as<T>() + n * p.x_size();
    for (std::int64_t k = 0; k < p.x_size(); ++k) dx[k] = T(0);
    for (std::int64_t i = 0; i < p.Ho; ++i) {
      for (std::int64_t j = 0; j < p.Wo; ++j) {
        const T* __restrict dy = a.y.as<T>() + n * p.y_size() + (i * p.Wo + j) * C;
        p.for_each_tap(i, j, [&](std::int64_t place, bool) {
          T* __restrict to = dx + place * C;
          ATHANOR_INDEPENDENT
          for (std::int64_t c = 0; c < C; ++c) to[c] += dy[c] * share;
        });
      }
    }
  });
}

}  // namespace

void max_pool2d(const Pool2dArgs& a) {
  if (a.x.dtype == DType::u8) {
    return a.index.data ? max_pool2d_typed<std::uint8_t, true>(a)
                        : max_pool2d_typed<std::uint8_t, false>(a);
  }
  visit_float(a.x.dtype, [&]<class T>(Tag<T>) {
    a.index.data ? max_pool2d_typed<T, true>(a) : max_pool2d_typed<T, false>(a);
  });
}

void max_pool2d_backward(const Pool2dArgs& a) {
  visit_float(a.x.dtype, [&]<class T>(Tag<T>) {
    const Planes p(a);
    const bool tiles = p.tile_exactly();
    p.for_each_image([&](std::int64_t n) {
      if (tiles) {
        max_pool2d_backward_image<T, true>(a, p, n);
      } else {
        max_pool2d_backward_image<T, false>(a, p, n);
      }
    });
  });
}

void max_pool2d_gather(const Pool2dArgs& a) {
  visit_float(a.x.dtype, [&]<class T>(Tag<T>) { max_pool2d_gather_typed<T>(a); });
}

void avg_pool2d(const Pool2dArgs& a) {
  visit_float(a.x.dtype, [&]<class T>(Tag<T>) { avg_pool2d_typed<T>(a); });
}

void avg_pool2d_backward(const Pool2dArgs& a) {
  visit_float(a.x.dtype, [&]<class T>(Tag<T>) { avg_pool2d_backward_typed<T>(a); });
}

#include "tensor/backend/cpu/isa_end.h"
