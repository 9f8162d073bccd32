#include <cmath>

#include "tensor/backend/reference/log_sum_exp.h"
#include "tensor/backend/reference/reference.h"
#include "tensor/backend/rows.h"

namespace athanor::reference {

void kl_div(const KlDivArgs& args) {
  visit_real(args.x.dtype, [&]<class T>(Tag<T>) {
    using C = compute_t<T>;
    const Rows<5> rows = rows_of<5>({&args.x, &args.t, &args.loss, &args.x_lse, &args.t_lse});
    const std::int64_t n = row_size(args.x), xs = row_stride(args.x), ts = row_stride(args.t);
    const double scale = 1 / args.temperature;
    for (std::int64_t row = 0; row < rows.count; ++row) {
      const auto at = rows.offsets(row);
      const T *x = args.x.as<T>() + at[0], *t = args.t.as<T>() + at[1];
      const double x_lse = log_sum_exp(x, n, xs, scale), t_lse = log_sum_exp(t, n, ts, scale);
      double total = 0;
      for (std::int64_t i = 0; i < n; ++i) {
        const double log_p = scale * static_cast<C>(x[i * xs]) - x_lse;
        const double log_q = scale * static_cast<C>(t[i * ts]) - t_lse;
        const double q = std::exp(log_q);
        if (q != 0) total += q * (log_q - log_p);
      }
      total *= args.temperature * args.temperature;
      args.loss.as<T>()[at[2]] = static_cast<T>(static_cast<C>(total));
      args.x_lse.as<C>()[at[3]] = static_cast<C>(x_lse);
      args.t_lse.as<C>()[at[4]] = static_cast<C>(t_lse);
      if (!args.slope.data) continue;
      T* slope = args.slope.as<T>() + rows_of<1>({&args.slope}).offsets(row)[0];
      for (std::int64_t i = 0; i < n; ++i) {
        const double p = std::exp(scale * static_cast<C>(x[i * xs]) - x_lse);
        const double q = std::exp(scale * static_cast<C>(t[i * ts]) - t_lse);
        slope[i * row_stride(args.slope)] =
            static_cast<T>(static_cast<C>(args.temperature * (p - q)));
      }
    }
  });
}

void kl_div_grad(const KlDivGradArgs& args) {
  visit_real(args.x.dtype, [&]<class T>(Tag<T>) {
    using C = compute_t<T>;
    const Rows<6> rows =
        rows_of<6>({&args.x, &args.t, &args.x_lse, &args.t_lse, &args.dloss, &args.dx});
    const double scale = 1 / args.temperature;
    for (std::int64_t row = 0; row < rows.count; ++row) {
      const auto at = rows.offsets(row);
      const double x_lse = args.x_lse.as<C>()[at[2]];
      const double t_lse = args.t_lse.as<C>()[at[3]];
      const double factor = args.temperature * static_cast<C>(args.dloss.as<T>()[at[4]]);
      for (std::int64_t i = 0; i < row_size(args.x); ++i) {
        const double x = static_cast<C>(args.x.as<T>()[at[0] + i * row_stride(args.x)]);
        const double t = static_cast<C>(args.t.as<T>()[at[1] + i * row_stride(args.t)]);
        const double value = factor * (std::exp(scale * x - x_lse) - std::exp(scale * t - t_lse));
        args.dx.as<T>()[at[5] + i * row_stride(args.dx)] = static_cast<T>(static_cast<C>(value));
      }
    }
  });
}

}  // namespace athanor::reference
