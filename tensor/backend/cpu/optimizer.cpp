#include <algorithm>
#include <cmath>

#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"

namespace {

template <class T>
void adamw_range(const AdamWArgs& args, const AdamWTensor& t, std::int64_t begin,
                 std::int64_t end) {
  T* __restrict p = static_cast<T*>(t.p);
  const T* __restrict g = static_cast<const T*>(t.g);
  T* __restrict m = static_cast<T*>(t.m);
  T* __restrict v = static_cast<T*>(t.v);
  const T beta1 = T(args.beta1), beta2 = T(args.beta2);
  const T rest1 = T(1 - args.beta1), rest2 = T(1 - args.beta2);
  const T keep = T(1 - t.rate * t.weight_decay), rate = T(t.rate / args.correction1);
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
  std::int64_t total = 0;
  for (std::int64_t i = 0; i < args.count; ++i) total += args.tensors[i].n;
  visit_float(args.dtype, [&]<class T>(Tag<T>) {
    // The tensors one behind the other.
    parallel_for(total, 32768, [&](std::int64_t begin, std::int64_t end) {
      const AdamWTensor* t = args.tensors;
      for (; begin >= t->n; ++t) begin -= t->n, end -= t->n;
      for (; end > 0; ++t) {
        adamw_range<T>(args, *t, begin, std::min(end, t->n));
        begin = 0;
        end -= t->n;
      }
    });
  });
}

#include "tensor/backend/cpu/isa_end.h"
