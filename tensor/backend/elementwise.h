// Iteration over strided operands of the same sizes: drops axes of size 1, merges axes that follow
// one another in memory, and orders them so that the inner loop runs along the output's memory.
#pragma once

#include <array>
#include <cstdint>

#include "tensor/backend/args.h"

namespace athanor {

// N operands reduced to at most kMaxRank axes, slowest first. Strides in elements.
template <int N>
struct LoopPlan {
  int rank = 0;
  std::int64_t sizes[kMaxRank];
  std::int64_t strides[kMaxRank][N];

  std::int64_t inner_size() const { return rank ? sizes[rank - 1] : 1; }
  std::int64_t inner_stride(int operand) const { return rank ? strides[rank - 1][operand] : 0; }
  std::int64_t outer_count() const {
    std::int64_t n = 1;
    for (int i = 0; i + 1 < rank; ++i) n *= sizes[i];
    return n;
  }
  // Element offsets of outer iteration `index`.
  std::array<std::int64_t, N> outer_offsets(std::int64_t index) const {
    std::array<std::int64_t, N> offsets{};
    for (int i = rank - 2; i >= 0; --i) {
      const std::int64_t at = index % sizes[i];
      index /= sizes[i];
      for (int k = 0; k < N; ++k) offsets[k] += at * strides[i][k];
    }
    return offsets;
  }
};

// Plans a loop over operands of equal sizes; operands[0] is the output, whose memory order rules.
// A zero-size operand gives a plan with an axis of size 0.
template <int N>
LoopPlan<N> plan_loop(const std::array<const Operand*, N>& operands) {
  LoopPlan<N> plan;
  const Operand& out = *operands[0];
  int order[kMaxRank];
  int count = 0;
  for (int axis = 0; axis < out.rank; ++axis) {
    if (out.sizes[axis] == 1) continue;
    int at = count++;
    // Insertion sort by the output's strides, largest first; stable, so row-major stays as it is.
    while (at > 0 && out.strides[order[at - 1]] < out.strides[axis]) {
      order[at] = order[at - 1];
      --at;
    }
    order[at] = axis;
  }
  for (int i = 0; i < count; ++i) {
    const int axis = order[i];
    bool merge = plan.rank > 0;
    for (int k = 0; k < N && merge; ++k) {
      merge = plan.strides[plan.rank - 1][k] == operands[k]->strides[axis] * out.sizes[axis];
    }
    if (merge) {
      plan.sizes[plan.rank - 1] *= out.sizes[axis];
    } else {
      plan.sizes[plan.rank++] = out.sizes[axis];
    }
    for (int k = 0; k < N; ++k) plan.strides[plan.rank - 1][k] = operands[k]->strides[axis];
  }
  return plan;
}

}  // namespace athanor
