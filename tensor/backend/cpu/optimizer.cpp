#include <cmath>

#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"

namespace {

template <class T>
void adamw_range(const AdamWArgs& args, std::int64_t begin, std::int64_t end) {
  T* __restrict p = static_cast<T*>(args.p);
  const T* __restrict g = static_cast<const T*>(args.g);
  T* __restrict m = static_cast<T*>(args.m);
  T* __restrict v = static_cast<T*>(args.v);
  const T beta1 = T(args.beta1), beta2 = T(args.beta2);
  const T rest1 = T(1 - args.beta1), rest2 = T(1 - args.beta2);
  const T keep = T(1 - args.rate * args.weight_decay), rate = T(args.rate / args.correction1);
  const T scale = T(1 / std::sqrt(args.correction2)), epsilon = T(args.epsilon);
  for (std::int64_t i = begin; i < end; ++i) {
    const T first = beta1 * m[i] + rest1 * g[i];
    const T second = beta2 * v[i] + rest2 * g[i] * g[i];
    m[i] = first;
    v[i] = second;
    p[i] = p[i] * keep - rate * first / (std::sqrt(second) * scale + epsilon);
  }
}

}  // namespace

void adamw(const AdamWArgs& args) {
  visit_float(args.dtype, [&]<class T>(Tag<T>) {
    parallel_for(args.n, 32768,
                 [&](std::int64_t begin, std::int64_t end) { adamw_range<T>(args, begin, end); });
  });
}

#include "tensor/backend/cpu/isa_end.h"
