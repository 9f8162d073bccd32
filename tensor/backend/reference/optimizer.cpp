#include <cmath>

#include "tensor/backend/reference/reference.h"

namespace athanor::reference {

void adamw(const AdamWArgs& args) {
  visit_float(args.dtype, [&]<class T>(Tag<T>) {
    for (const AdamWTensor* t = args.tensors; t != args.tensors + args.count; ++t) {
      T* p = static_cast<T*>(t->p);
      const T* g = static_cast<const T*>(t->g);
      T* m = static_cast<T*>(t->m);
      T* v = static_cast<T*>(t->v);
      for (std::int64_t i = 0; i < t->n; ++i) {
        const double gradient = g[i];
        const double first = args.beta1 * m[i] + (1 - args.beta1) * gradient;
        const double second = args.beta2 * v[i] + (1 - args.beta2) * gradient * gradient;
        m[i] = static_cast<T>(first);
        v[i] = static_cast<T>(second);
        const double step =
            first / args.correction1 / (std::sqrt(second / args.correction2) + args.epsilon);
        p[i] = static_cast<T>(p[i] * (1 - t->rate * t->weight_decay) - t->rate * step);
      }
    }
  });
}

}  // namespace athanor::reference
