#include <bit>
#include <cmath>
#include <limits>

#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/backend/rows.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"
#include "tensor/backend/cpu/row.h"

void cross_entropy(const CrossEntropyArgs& args) {
  visit_float(args.x.dtype, [&]<class T>(Tag<T>) {
    const Rows<4> rows = rows_of<4>({&args.x, &args.targets, &args.loss, &args.lse});
    const std::int64_t n = row_size(args.x), stride = row_stride(args.x);
    const T smoothing = static_cast<T>(args.smoothing);
    parallel_for(rows.count, row_grain(n), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const auto at = rows.offsets(row);
        const T* x = args.x.as<T>() + at[0];
        const std::int64_t target = args.targets.as<std::int64_t>()[at[1]];
        const T lse = log_sum_exp(x, n, stride, T(1));
        T expected = (T(1) - smoothing) * x[target * stride];
        if (smoothing != T(0)) {
          expected += smoothing * reduce_strided<SumOf>(x, n, stride) / static_cast<T>(n);
        }
        args.loss.as<T>()[at[2]] = lse - expected;
        args.lse.as<T>()[at[3]] = lse;
      }
    });
  });
}

void cross_entropy_grad(const CrossEntropyGradArgs& args) {
  visit_float(args.x.dtype, [&]<class T>(Tag<T>) {
    const Rows<5> rows = rows_of<5>({&args.x, &args.targets, &args.lse, &args.dloss, &args.dx});
    const std::int64_t n = row_size(args.x), xs = row_stride(args.x), ds = row_stride(args.dx);
    const T smoothing = static_cast<T>(args.smoothing), share = smoothing / static_cast<T>(n);
    parallel_for(rows.count, row_grain(n), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const auto at = rows.offsets(row);
        const T* x = args.x.as<T>() + at[0];
        const std::int64_t target = args.targets.as<std::int64_t>()[at[1]];
        const T lse = args.lse.as<T>()[at[2]], scale = args.dloss.as<T>()[at[3]];
        T* dx = args.dx.as<T>() + at[4];
        if (xs == 1 && ds == 1) {
          for (std::int64_t i = 0; i < n; ++i) dx[i] = scale * (exp_of(x[i] - lse) - share);
        } else {
          for (std::int64_t i = 0; i < n; ++i) {
            dx[i * ds] = scale * (exp_of(x[i * xs] - lse) - share);
          }
        }
        dx[target * ds] -= scale * (T(1) - smoothing);
      }
    });
  });
}

#include "tensor/backend/cpu/isa_end.h"
