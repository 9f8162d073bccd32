#include "tensor/backend/reference/log_sum_exp.h"
#include "tensor/backend/reference/reference.h"

namespace athanor::reference {

void segment_argmax(const SegmentArgmaxArgs& args) {
  visit_real(args.x.dtype, [&]<class T>(Tag<T>) {
    using C = compute_t<T>;
    const std::int64_t* offsets = args.offsets.as<std::int64_t>();
    const std::int64_t* columns = args.columns.as<std::int64_t>();
    for (std::int64_t row = 0; row < args.rows; ++row) {
      for (std::int64_t k = 0; k < args.inner; ++k) {
        const auto value = [&](std::int64_t at) {
          return static_cast<C>(args.x.as<T>()[at * args.inner + k]);
        };
        const std::int64_t first = offsets[row], last = offsets[row + 1];
        std::int64_t best = first < last ? columns[first] : 0;
        for (std::int64_t e = first; e < last; ++e) {
          const C candidate = value(columns[e]), extreme = value(best);
          const bool nan_is_new = candidate != candidate && extreme == extreme;
          if (candidate > extreme || nan_is_new) best = columns[e];
        }
        args.y.as<std::int64_t>()[row * args.inner + k] = best;
      }
    }
  });
}

}  // namespace athanor::reference
