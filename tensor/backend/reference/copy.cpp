#include "tensor/backend/convert.h"
#include "tensor/backend/reference/reference.h"

namespace athanor::reference {

void copy(const CopyArgs& args) {
  visit(args.x.dtype, [&]<class X>(Tag<X>) {
    visit(args.y.dtype, [&]<class Y>(Tag<Y>) {
      const X* x = args.x.as<X>();
      Y* y = args.y.as<Y>();
      Index index(args.x.sizes, args.x.rank);
      const std::int64_t n = args.x.numel();
      for (std::int64_t i = 0; i < n; ++i, index.next()) {
        const compute_t<X> value = x[index.offset(args.x.strides)];
        y[index.offset(args.y.strides)] = converted<Y>(value);
      }
    });
  });
}

void fill(const FillArgs& args) {
  visit(args.y.dtype, [&]<class Y>(Tag<Y>) {
    Y* y = args.y.as<Y>();
    Index index(args.y.sizes, args.y.rank);
    const std::int64_t n = args.y.numel();
    for (std::int64_t i = 0; i < n; ++i, index.next()) {
      y[index.offset(args.y.strides)] = converted<Y>(args.value);
    }
  });
}

}  // namespace athanor::reference
