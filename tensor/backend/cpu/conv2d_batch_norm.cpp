// The gradients of a direct convolution with batch norm, image by image: the gradient of the
// convolution's result is used while it is in the cache and never stored.
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <type_traits>

#include "tensor/backend/conv_args.h"
#include "tensor/backend/cpu/isa_conv2d.h"
#include "tensor/backend/cpu/scratch.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"
#include "tensor/backend/cpu/isa_integers.h"
#include "tensor/backend/cpu/row.h"

#include "tensor/backend/cpu/micro_gemm.h"

namespace {

#include "tensor/backend/cpu/batch_norm_rows.h"

#include "tensor/backend/cpu/batch_norm_pool.h"

#include "tensor/backend/cpu/batch_norm_backward.h"

#include "tensor/backend/cpu/conv2d_window.h"

#include "tensor/backend/cpu/conv2d_forward.h"

#include "tensor/backend/cpu/conv2d_input.h"

#include "tensor/backend/cpu/conv2d_weight.h"

template <class T, bool kRelu>
void backward_typed(const Conv2dBatchNormBackwardArgs& a) {
  const NormGradient<T, kRelu> norm(a.norm);
  Pass<T> f = forward_pass<T>(a.conv);
  const T* const z = f.y;
  const WeightParts<T> parts(f);
  const T* const w = a.conv.w.as<const T>();

  // Sums of the weight's gradient, then the strips of each pass for dx.
  std::int64_t strips = 0, pad = parts.buffer(f);
  const auto strip_size = [](const Pass<T>& p) {
    return p.strips() * kMicroColumns<T> * p.window();
  };
  if (a.dx.data) {
    for_each_input_pass(f, w, a.dx.as<T>(), [&](const Pass<T>& p, auto) {
      strips += strip_size(p);
      if (p.window() > 0) pad = larger(pad, ForwardPlan<T>(p, 0, p.oh).image);
    });
  }
  const std::int64_t all_sums = parts.count * parts.size;
  T* const sums = static_cast<T*>(thread_scratch((all_sums + strips) * sizeof(T), Scratch::shared));
  if (a.dx.data) {
    T* to = sums + all_sums;
    for_each_input_pass(f, w, a.dx.as<T>(), [&](const Pass<T>& p, auto weight) {
      if (p.window() > 0) pack_weights(p, to, weight);
      to += strip_size(p);
    });
  }

  const std::int64_t N = f.N, size = f.y_image;
  parallel_chunks(parts.count, [&](std::int64_t part) {
    T* const own = sums + part * parts.size;
    for (std::int64_t i = 0; i < parts.size; ++i) own[i] = T(0);
    T* const dz = static_cast<T*>(thread_scratch((size + pad) * sizeof(T), Scratch::task));
    T* const buffer = dz + size;
    for (std::int64_t n = part * parts.each; n < smaller(N, (part + 1) * parts.each); ++n) {
      norm.write_image(n, dz);
      add_image(f, a.db.data != nullptr, n, static_cast<const T*>(dz), z + (n + 1) * size, own,
                parts.wide, buffer);
      if (!a.dx.data) continue;
      Pass<T> one = f;
      one.N = 1;
      one.y = dz;
      const T* from = sums + all_sums;
      for_each_input_pass(one, w, a.dx.as<T>() + n * f.H * f.W * f.C, [&](const Pass<T>& p, auto) {
        if (p.window() == 0) return clear_pixels(p);
        forward_rows(p, ForwardPlan<T>(p, 0, p.oh), 0, 0, p.oh, from, buffer);
        from += strip_size(p);
      });
    }
  });
  write_weight(f, parts, sums, a.dw.as<T>(), a.db.as<T>());
}

}  // namespace

void conv2d_batch_norm_backward(const Conv2dBatchNormBackwardArgs& a) {
  visit_float(a.norm.x.dtype, [&]<class T>(Tag<T>) {
    a.norm.relu ? backward_typed<T, true>(a) : backward_typed<T, false>(a);
  });
}

#include "tensor/backend/cpu/isa_end.h"
