#include <cmath>

#include "tensor/backend/reference/log_sum_exp.h"
#include "tensor/backend/reference/reference.h"
#include "tensor/backend/rows.h"

namespace athanor::reference {

void cross_entropy(const CrossEntropyArgs& args) {
  visit_real(args.x.dtype, [&]<class T>(Tag<T>) {
    using C = compute_t<T>;
    const Rows<4> rows = rows_of<4>({&args.x, &args.targets, &args.loss, &args.lse});
    const std::int64_t n = row_size(args.x), stride = row_stride(args.x);
    for (std::int64_t row = 0; row < rows.count; ++row) {
      const auto at = rows.offsets(row);
      const T* x = args.x.as<T>() + at[0];
      const std::int64_t target = args.targets.as<std::int64_t>()[at[1]];
      const double lse = log_sum_exp(x, n, stride);
      double mean = 0;
      for (std::int64_t i = 0; i < n; ++i) mean += static_cast<C>(x[i * stride]);
      mean /= static_cast<double>(n);
      const double loss = lse - (1 - args.smoothing) * static_cast<C>(x[target * stride]) -
                          (args.smoothing == 0 ? 0 : args.smoothing * mean);
      args.loss.as<T>()[at[2]] = static_cast<T>(static_cast<C>(loss));
      args.lse.as<C>()[at[3]] = static_cast<C>(lse);
    }
  });
}

void cross_entropy_grad(const CrossEntropyGradArgs& args) {
  visit_real(args.x.dtype, [&]<class T>(Tag<T>) {
    using C = compute_t<T>;
    const Rows<5> rows = rows_of<5>({&args.x, &args.targets, &args.lse, &args.dloss, &args.dx});
    const std::int64_t n = row_size(args.x);
    for (std::int64_t row = 0; row < rows.count; ++row) {
      const auto at = rows.offsets(row);
      const T* x = args.x.as<T>() + at[0];
      const std::int64_t target = args.targets.as<std::int64_t>()[at[1]];
      const double lse = args.lse.as<C>()[at[2]];
      const double scale = static_cast<C>(args.dloss.as<T>()[at[3]]);
      for (std::int64_t i = 0; i < n; ++i) {
        const double p = std::exp(static_cast<C>(x[i * row_stride(args.x)]) - lse);
        const double t =
            args.smoothing / static_cast<double>(n) + (i == target ? 1 - args.smoothing : 0);
        args.dx.as<T>()[at[4] + i * row_stride(args.dx)] =
            static_cast<T>(static_cast<C>(scale * (p - t)));
      }
    }
  });
}

}  // namespace athanor::reference
