#include <type_traits>

#include "tensor/backend/reference/reference.h"
#include "tensor/backend/rows.h"

namespace athanor::reference {

void cumsum(const CumsumArgs& args) {
  visit(args.x.dtype, [&]<class T>(Tag<T>) {
    using C = compute_t<T>;
    // Wide, so that a long row of f32 keeps its digits.
    using Sum = std::conditional_t<std::is_integral_v<C>, std::uint64_t, double>;
    const Rows<2> rows = rows_of<2>({&args.x, &args.y});
    const std::int64_t n = row_size(args.x);
    for (std::int64_t row = 0; row < rows.count; ++row) {
      const auto at = rows.offsets(row);
      Sum total = 0;
      for (std::int64_t step = 0; step < n; ++step) {
        const std::int64_t i = args.reverse ? n - 1 - step : step;
        total += static_cast<Sum>(static_cast<C>(args.x.as<T>()[at[0] + i * row_stride(args.x)]));
        args.y.as<T>()[at[1] + i * row_stride(args.y)] = static_cast<T>(static_cast<C>(total));
      }
    }
  });
}

}  // namespace athanor::reference
