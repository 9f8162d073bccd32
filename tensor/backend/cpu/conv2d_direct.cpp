// Direct convolution in N, H, W, C order. The window of an output pixel is kH runs of kW C values
// that lie one after another in the image, so that a block of pixels times a strip of output
// channels is a matrix product whose left side is read in place: nothing like im2col is written.
// Pixels whose windows reach into the padding are blocks of their own, with the taps that meet the
// image. Sums are cut by shape alone: the same bits at every thread count.
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "tensor/backend/conv_args.h"
#include "tensor/backend/cpu/isa_conv2d.h"
#include "tensor/backend/cpu/scratch.h"
#include "tensor/backend/winograd.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"
#include "tensor/backend/cpu/isa_integers.h"
#include "tensor/backend/cpu/row.h"

#include "tensor/backend/cpu/micro_gemm.h"

namespace {

#include "tensor/backend/cpu/conv2d_window.h"

#include "tensor/backend/cpu/conv2d_forward.h"

#include "tensor/backend/cpu/conv2d_input.h"

#include "tensor/backend/cpu/conv2d_weight.h"

#include "tensor/backend/cpu/conv2d_winograd.h"

template <class T>
void forward_typed(const Conv2dArgs& a) {
  Pass<T> p = forward_pass<T>(a);
  if (a.relu) p.floor = T(0);
  p.pool = a.pool;
  const T* w = a.w.as<const T>();
  const auto weight = [&](std::int64_t o, std::int64_t i, std::int64_t j, std::int64_t c) {
    return w[((o * p.C + c) * p.kh + i) * p.kw + j];
  };
  if constexpr (std::is_same_v<T, float>) {
    if (winograd() && winograd_fits(p)) return run_winograd(p, weight);
  }
  run_pass(p, weight);
}

template <class T>
void backward_input_typed(const Conv2dArgs& a) {
  for_each_input_pass(forward_pass<T>(a), a.w.as<const T>(), a.x.as<T>(),
                      [](const Pass<T>& p, auto weight) {
                        p.window() == 0 ? clear_pixels(p) : run_pass(p, weight);
                      });
}

template <class T>
void backward_weight_typed(const Conv2dArgs& a) {
  const Pass<T> p = forward_pass<T>(a);
  const WeightParts<T> parts(p);
  T* const sums =
      static_cast<T*>(thread_scratch(parts.count * parts.size * sizeof(T), Scratch::shared));
  parallel_chunks(parts.count, [&](std::int64_t part) {
    T* const own = sums + part * parts.size;
    for (std::int64_t i = 0; i < parts.size; ++i) own[i] = T(0);
    T* const buffer = static_cast<T*>(thread_scratch(parts.buffer(p) * sizeof(T), Scratch::task));
    for (std::int64_t n = part * parts.each; n < smaller(p.N, (part + 1) * parts.each); ++n) {
      const T* const dy = p.y + n * p.y_image;
      add_image(p, a.b.data != nullptr, n, dy, dy + p.y_image, own, parts.wide, buffer);
    }
  });
  write_weight(p, parts, sums, a.w.as<T>(), a.b.as<T>());
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
