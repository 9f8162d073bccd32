#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/backend/elementwise.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"

void where(const WhereArgs& args) {
  constexpr std::int64_t kGrain = 32768;  // elements a thread takes at least
  const LoopPlan<4> plan = plan_loop<4>({&args.z, &args.condition, &args.x, &args.y});
  const std::int64_t n = plan.inner_size();
  const std::int64_t zs = plan.inner_stride(0), cs = plan.inner_stride(1),
                     xs = plan.inner_stride(2), ys = plan.inner_stride(3);
  visit(args.z.dtype, [&]<class T>(Tag<T>) {
    parallel_for(plan.outer_count(), kGrain / n + 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const auto at = plan.outer_offsets(row);
        T* z = args.z.as<T>() + at[0];
        const bool* c = args.condition.as<bool>() + at[1];
        const T *x = args.x.as<T>() + at[2], *y = args.y.as<T>() + at[3];
        if (zs == 1 && cs == 1 && xs == 1 && ys == 1) {
          for (std::int64_t i = 0; i < n; ++i) z[i] = c[i] ? x[i] : y[i];
        } else {
          for (std::int64_t i = 0; i < n; ++i) z[i * zs] = c[i * cs] ? x[i * xs] : y[i * ys];
        }
      }
    });
  });
}

#include "tensor/backend/cpu/isa_end.h"
