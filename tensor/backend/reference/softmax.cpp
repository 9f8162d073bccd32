#include <cmath>

#include "tensor/backend/reference/log_sum_exp.h"
#include "tensor/backend/reference/reference.h"
#include "tensor/backend/rows.h"

namespace athanor::reference {
void softmax(const SoftmaxArgs& args) {
  visit_real(args.x.dtype, [&]<class T>(Tag<T>) {
    using C = compute_t<T>;
    const Rows<2> rows = rows_of<2>({&args.x, &args.y});
    const std::int64_t n = row_size(args.x), xs = row_stride(args.x), ys = row_stride(args.y);
    for (std::int64_t row = 0; row < rows.count; ++row) {
      const auto at = rows.offsets(row);
      const T* x = args.x.as<T>() + at[0];
      T* y = args.y.as<T>() + at[1];
      const double lse = log_sum_exp(x, n, xs);
      for (std::int64_t i = 0; i < n; ++i) {
        const double log_p = static_cast<C>(x[i * xs]) - lse;
        const double value = args.op == SoftmaxOp::softmax ? std::exp(log_p) : log_p;
        y[i * ys] = static_cast<T>(static_cast<C>(value));
      }
    }
  });
}

void softmax_grad(const SoftmaxGradArgs& args) {
  visit_real(args.y.dtype, [&]<class T>(Tag<T>) {
    using C = compute_t<T>;
    const Rows<3> rows = rows_of<3>({&args.y, &args.dy, &args.dx});
    const std::int64_t n = row_size(args.y);
    const std::int64_t ys = row_stride(args.y), ds = row_stride(args.dy), xs = row_stride(args.dx);
    const bool log = args.op == SoftmaxOp::log_softmax;
    for (std::int64_t row = 0; row < rows.count; ++row) {
      const auto at = rows.offsets(row);
      const T *y = args.y.as<T>() + at[0], *dy = args.dy.as<T>() + at[1];
      T* dx = args.dx.as<T>() + at[2];
      double total = 0;
      for (std::int64_t i = 0; i < n; ++i) {
        const double d = static_cast<C>(dy[i * ds]);
        total += log ? d : d * static_cast<C>(y[i * ys]);
      }
      for (std::int64_t i = 0; i < n; ++i) {
        const double d = static_cast<C>(dy[i * ds]), v = static_cast<C>(y[i * ys]);
        const double value = log ? d - std::exp(v) * total : v * (d - total);
        dx[i * xs] = static_cast<T>(static_cast<C>(value));
      }
    }
  });
}

void logsumexp(const LogSumExpArgs& args) {
  visit_real(args.x.dtype, [&]<class T>(Tag<T>) {
    const Rows<2> rows = rows_of<2>({&args.x, &args.y});
    for (std::int64_t row = 0; row < rows.count; ++row) {
      const auto at = rows.offsets(row);
      const double lse = log_sum_exp(args.x.as<T>() + at[0], row_size(args.x), row_stride(args.x));
      args.y.as<T>()[at[1]] = static_cast<T>(static_cast<compute_t<T>>(lse));
    }
  });
}

}  // namespace athanor::reference
