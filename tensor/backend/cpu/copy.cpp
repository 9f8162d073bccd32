#include "tensor/backend/convert.h"
#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/backend/elementwise.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"
#include "tensor/backend/cpu/map.h"

void copy(const CopyArgs& args) {
  const LoopPlan<2> plan = plan_loop<2>({&args.y, &args.x});
  visit(args.x.dtype, [&]<class X>(Tag<X>) {
    visit(args.y.dtype, [&]<class Y>(Tag<Y>) {
      map_unary(plan, args.x.as<X>(), args.y.as<Y>(), [](X value) {
        if constexpr (std::is_same_v<X, Y>) {
          return value;
        } else {
          return converted<Y>(static_cast<compute_t<X>>(value));
        }
      });
    });
  });
}

void fill(const FillArgs& args) {
  const LoopPlan<2> plan = plan_loop<2>({&args.y, &args.y});
  visit(args.y.dtype, [&]<class Y>(Tag<Y>) {
    const Y value = converted<Y>(args.value);
    // By reference, so that the old element is not read: uninitialised memory is no valid bool.
    map_unary(plan, args.y.as<Y>(), args.y.as<Y>(), [value](const Y&) { return value; });
  });
}

#include "tensor/backend/cpu/isa_end.h"
