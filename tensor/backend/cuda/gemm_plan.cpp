#include "tensor/backend/cuda/gemm_plan.h"

#include <algorithm>

namespace athanor::cuda {
namespace {

// A leading axis of the three operands.
struct Axis {
  std::int64_t size, x, y, z;
};

// The leading axes, merged where all three operands run on.
std::vector<Axis> leading_axes(const MatmulArgs& a) {
  std::vector<Axis> axes;
  for (int i = 0; i + 2 < a.z.rank; ++i) {
    if (a.z.sizes[i] == 1) continue;
    const Axis axis{a.z.sizes[i], a.x.strides[i], a.y.strides[i], a.z.strides[i]};
    if (!axes.empty()) {
      Axis& outer = axes.back();
      if (outer.x == axis.x * axis.size && outer.y == axis.y * axis.size &&
          outer.z == axis.z * axis.size) {
        outer = {outer.size * axis.size, axis.x, axis.y, axis.z};
        continue;
      }
    }
    axes.push_back(axis);
  }
  return axes;
}

// A row-major [rows, columns] matrix with one contiguous axis, read column-major: as it lies when
// its rows are contiguous, transposed when its columns are.
GemmFactor factor(std::int64_t rows, std::int64_t columns, std::int64_t row_stride,
                  std::int64_t column_stride) {
  const bool by_row = (column_stride == 1 || columns == 1) && (row_stride >= columns || rows == 1);
  GemmFactor f;
  f.transposed = !by_row;
  f.leading = by_row ? std::max(row_stride, columns) : std::max(column_stride, rows);
  if (by_row && rows == 1) f.leading = columns;
  if (!by_row && columns == 1) f.leading = rows;
  return f;
}

}  // namespace

GemmPlan plan_gemm(const MatmulArgs& a) {
  const int rank = a.z.rank;
  GemmPlan plan;
  plan.m = a.z.sizes[rank - 2];
  plan.n = a.z.sizes[rank - 1];
  plan.k = a.x.sizes[rank - 1];
  const std::int64_t x_row = a.x.strides[rank - 2];
  plan.x = factor(plan.m, plan.k, x_row, a.x.strides[rank - 1]);
  plan.y = factor(plan.k, plan.n, a.y.strides[rank - 2], a.y.strides[rank - 1]);
  std::vector<Axis> axes = leading_axes(a);
  if (!axes.empty()) {
    const Axis inner = axes.back();
    axes.pop_back();
    const bool rows_go_on = !plan.x.transposed && inner.x == plan.m * plan.x.leading;
    if (inner.y == 0 && rows_go_on) {
      plan.m *= inner.size;
    } else {
      plan.batch = inner.size;
      plan.x.batch_stride = inner.x;
      plan.y.batch_stride = inner.y;
      plan.z_batch_stride = inner.z;
    }
  }
  plan.calls = {{0, 0, 0}};
  for (const Axis& axis : axes) {
    std::vector<GemmPlan::Offsets> wider;
    for (const auto& at : plan.calls) {
      for (std::int64_t i = 0; i < axis.size; ++i) {
        wider.push_back({at.x + i * axis.x, at.y + i * axis.y, at.z + i * axis.z});
      }
    }
    plan.calls = std::move(wider);
  }
  return plan;
}

}  // namespace athanor::cuda
