// The rows of operands that agree in all sizes but the last: what row kernels (softmax, the losses)
// loop over.
#pragma once

#include <array>
#include <cstdint>

#include "tensor/backend/args.h"

namespace athanor {

template <int N>
struct Rows {
  int rank = 0;  // of the leading axes
  std::int64_t count = 1;
  const std::int64_t* sizes = nullptr;
  std::array<const std::int64_t*, N> strides;

  // Element offset of `row` in each operand.
  std::array<std::int64_t, N> offsets(std::int64_t row) const {
    std::array<std::int64_t, N> at{};
    for (int axis = rank - 1; axis >= 0; --axis) {
      const std::int64_t i = axis > 0 ? row % sizes[axis] : row;
      if (axis > 0) row /= sizes[axis];
      for (std::size_t k = 0; k < N; ++k) at[k] += i * strides[k][axis];
    }
    return at;
  }
};

// operands[0] has the row axis last; the others have it too, or lack it ("by row").
template <int N>
Rows<N> rows_of(const std::array<const Operand*, N>& operands) {
  Rows<N> rows;
  rows.rank = operands[0]->rank - 1;
  rows.sizes = operands[0]->sizes;
  for (int axis = 0; axis < rows.rank; ++axis) rows.count *= rows.sizes[axis];
  for (std::size_t k = 0; k < N; ++k) rows.strides[k] = operands[k]->strides;
  return rows;
}

// Size and stride of the row axis.
inline std::int64_t row_size(const Operand& x) { return x.sizes[x.rank - 1]; }
inline std::int64_t row_stride(const Operand& x) { return x.strides[x.rank - 1]; }

}  // namespace athanor
