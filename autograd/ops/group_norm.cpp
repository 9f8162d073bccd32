#include "autograd/ops/group_norm.h"

#include "autograd/ops/binary.h"
#include "autograd/ops/copy.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "autograd/ops/unary.h"
#include "tensor/base/compute_dtype.h"

namespace athanor {
namespace {

void check_grouped(const char* op, const Variable& x) {
  if (!x.defined() || !is_floating(x.dtype()) || x.rank() < 2 || x.rank() >= kMaxRank) {
    fail(op, "expected a floating x [N, C, ...] of rank 2 to ", kMaxRank - 1, ", got ",
         x.defined() ? describe(x.tensor()) : "nothing");
  }
}

void check_group_channels(const char* op, const char* argument, const Variable& v,
                          const Variable& x) {
  if (!v.defined()) return;
  if (!(v.shape() == Shape{x.size(1)}) || v.dtype() != x.dtype()) {
    fail(op, "expected ", argument, " [", x.size(1), "] ", x.dtype(), ", got ",
         describe(v.tensor()), " (x ", describe(x.tensor()), ")");
  }
}

Variable normalize_groups(const char* op, const Variable& x, std::int64_t groups,
                          const Variable& gamma, const Variable& beta, double eps) {
  check_group_channels(op, "gamma", gamma, x);
  check_group_channels(op, "beta", beta, x);
  if (!(eps >= 0)) fail(op, "expected eps >= 0, got ", eps);
  if (x.numel() == 0) fail(op, "expected at least one element, got ", describe(x.tensor()));
  // [N, groups, C / groups, ...]: splitting an axis keeps any memory order.
  Shape split = x.shape();
  split[1] = groups;
  split.insert(2, x.size(1) / groups);
  Axes group;
  for (int i = 2; i < split.size(); ++i) group.push_back(i);
  const DType wide = compute_dtype(x.dtype());
  const Variable rows = reshape(cast(x, wide), split);
  const Variable centred = rows - mean(rows, group, true);
  const Variable rstd = rsqrt(mean(square(centred), group, true) + eps);
  Variable y = reshape(centred * rstd, x.shape());
  Shape beside = Dims::filled(x.rank(), 1);
  beside[1] = x.size(1);
  if (gamma.defined()) y = y * reshape(cast(gamma, wide), beside);
  if (beta.defined()) y = y + reshape(cast(beta, wide), beside);
  return cast(y, x.dtype());
}

}  // namespace

Variable group_norm(const Variable& x, std::int64_t groups, const Variable& gamma,
                    const Variable& beta, double eps) {
  check_grouped("group_norm", x);
  if (groups < 1 || x.size(1) % groups != 0) {
    fail("group_norm", "expected groups dividing C = ", x.size(1), ", got ", groups);
  }
  return normalize_groups("group_norm", x, groups, gamma, beta, eps);
}

Variable instance_norm(const Variable& x, const Variable& gamma, const Variable& beta, double eps) {
  check_grouped("instance_norm", x);
  return normalize_groups("instance_norm", x, x.size(1), gamma, beta, eps);
}

}  // namespace athanor
