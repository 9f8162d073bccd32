#include "tensor/backend/reference/log_sum_exp.h"
#include "tensor/backend/reference/reference.h"

namespace athanor::reference {

void csr_matmul(const CsrMatmulArgs& args) {
  visit_real(args.x.dtype, [&]<class T>(Tag<T>) {
    using C = compute_t<T>;
    const std::int64_t* offsets = args.offsets.as<std::int64_t>();
    const std::int64_t* columns = args.columns.as<std::int64_t>();
    const std::int64_t* order = args.order.as<std::int64_t>();
    const T *values = args.values.as<T>(), *x = args.x.as<T>();
    for (std::int64_t row = 0; row < args.rows; ++row) {
      for (std::int64_t k = 0; k < args.inner; ++k) {
        double total = 0;
        for (std::int64_t e = offsets[row]; e < offsets[row + 1]; ++e) {
          const double value = values ? static_cast<C>(values[order ? order[e] : e]) : C(1);
          total += value * static_cast<C>(x[columns[e] * args.inner + k]);
        }
        args.y.as<T>()[row * args.inner + k] = static_cast<T>(static_cast<C>(total));
      }
    }
  });
}

void csr_dot(const CsrDotArgs& args) {
  visit_real(args.a.dtype, [&]<class T>(Tag<T>) {
    using C = compute_t<T>;
    for (std::int64_t e = 0; e < args.n; ++e) {
      const T* a = args.a.as<T>() + args.rows.as<std::int64_t>()[e] * args.inner;
      const T* b = args.b.as<T>() + args.columns.as<std::int64_t>()[e] * args.inner;
      double total = 0;
      for (std::int64_t k = 0; k < args.inner; ++k) {
        total += static_cast<double>(static_cast<C>(a[k])) * static_cast<C>(b[k]);
      }
      args.y.as<T>()[e] = static_cast<T>(static_cast<C>(total));
    }
  });
}

}  // namespace athanor::reference
