#include "tensor/backend/reference/reference.h"

namespace athanor::reference {

void where(const WhereArgs& args) {
  visit(args.z.dtype, [&]<class T>(Tag<T>) {
    Index index(args.z.sizes, args.z.rank);
    const std::int64_t n = args.z.numel();
    for (std::int64_t i = 0; i < n; ++i, index.next()) {
      const bool first = args.condition.as<bool>()[index.offset(args.condition.strides)];
      args.z.as<T>()[index.offset(args.z.strides)] =
          first ? args.x.as<T>()[index.offset(args.x.strides)]
                : args.y.as<T>()[index.offset(args.y.strides)];
    }
  });
}

}  // namespace athanor::reference
