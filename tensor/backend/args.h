// Arguments of the kernels in the backend table.
#pragma once

#include <cstdint>

#include "tensor/base/dims.h"
#include "tensor/base/dtype.h"

namespace athanor {

// A tensor as a kernel sees it. Sizes and strides (in elements) point into the caller's tensors and
// live for the call. `data` is the first element.
struct Operand {
  void* data = nullptr;
  const std::int64_t* sizes = nullptr;
  const std::int64_t* strides = nullptr;
  int rank = 0;
  DType dtype = DType::f32;

  std::int64_t numel() const {
    std::int64_t n = 1;
    for (int i = 0; i < rank; ++i) n *= sizes[i];
    return n;
  }
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

// y = x, elementwise, same sizes; dtypes may differ. Decided by x's dtype.
struct CopyArgs {
  Operand x, y;
};

// y = value everywhere. Decided by y's dtype.
struct FillArgs {
  Operand y;
  double value;
};

enum class UnaryOp : std::uint8_t {
  neg,
  abs,
  exp,
  log,
  log1p,
  expm1,
  sqrt,
  rsqrt,
  reciprocal,
  sin,
  cos,
  tanh,
  sigmoid,
  erf,
  relu,
  gelu,       // x Phi(x) with erf
  gelu_tanh,  // the tanh form
  silu,
  softplus,
  leaky_relu,  // a = slope of the negative side
  elu,         // a = alpha
  floor,
  round,  // halves to even
  sign,
  square,
  clamp,       // a = lowest, b = highest
  add_scalar,  // x + a
  mul_scalar,  // x * a
  pow_scalar,  // x ^ a
  is_finite,   // to bool
  is_nan,      // to bool
  logical_not  // to bool
};

// y = op(x), elementwise, same sizes. Decided by x's dtype; y has it too, or is bool where said.
struct UnaryArgs {
  UnaryOp op;
  double a, b;
  Operand x, y;
};

// dx = dy f'(x) for f = op, elementwise, same sizes: relu, gelu, gelu_tanh, silu, tanh, sigmoid.
// `saved` is y = f(x) for relu, tanh and sigmoid, else x. Decided by saved's dtype, which dy and dx
// have.
struct UnaryGradArgs {
  UnaryOp op;
  Operand saved, dy, dx;
};

enum class BinaryOp : std::uint8_t {
  add,
  sub,
  mul,
  div,
  pow,
  maximum,
  minimum,
  equal,  // from here to bool
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  logical_and,
  logical_or,
  logical_xor
};

// z = op(x, y), elementwise; x and y are expanded to z's sizes (stride 0). Decided by x's dtype,
// which is y's; z has it too, or is bool for comparisons and logic.
struct BinaryArgs {
  BinaryOp op;
  Operand x, y, z;
};

// n elements of a parameter p with gradient g and moments m and v.
struct AdamWTensor {
  void* p;
  const void* g;
  void* m;
  void* v;
  std::int64_t n;
  double rate, weight_decay;
};

// One AdamW step over `count` tensors of one dtype (formula: nn/optim.h); correction1 and
// correction2 are 1 - beta^t. `tensors` is host memory that lives for the call only.
struct AdamWArgs {
  const AdamWTensor* tensors;
  std::int64_t count;
  DType dtype;
  double beta1, beta2, epsilon, correction1, correction2;
};

enum class ReduceOp : std::uint8_t { sum, max, min, any, all };

// y = x reduced over some axes: y has x's sizes with stride 0 along the reduced axes. any and all
// write bool. Decided by x's dtype. A reduction over nothing gives 0 (sum), false (any), true
// (all); the public op refuses max and min of nothing.
struct ReduceArgs {
  ReduceOp op;
  Operand x, y;
};

// z = x y + bias over the last two axes: x [..., M, K], y [..., K, N], z [..., M, N] contiguous;
// the leading sizes agree (stride 0 where broadcast); bias [N] contiguous, or without data. Decided
// by x's dtype, which all share. Each matrix of x and y has contiguous rows or contiguous columns.
struct MatmulArgs {
  Operand x, y, z, bias;
};

// Row operations work along the last axis of x; the op brings the wanted axis there by strides. An
// operand "by row" has x's sizes without the last one.

enum class SoftmaxOp : std::uint8_t { softmax, log_softmax };

// y = (log) softmax of x by row. Decided by x's dtype, which y has.
struct SoftmaxArgs {
  SoftmaxOp op;
  Operand x, y;
};

// The gradient: dx = y (dy - sum(y dy)) or dx = dy - exp(y) sum(dy), by row. One dtype.
struct SoftmaxGradArgs {
  SoftmaxOp op;
  Operand y, dy, dx;
};

// y[row] = log sum exp(x). Decided by x's dtype, which y has.
struct LogSumExpArgs {
  Operand x, y;
};

// loss[row] = lse - (1 - smoothing) x[target] - smoothing mean(x), with lse[row] = log sum exp(x).
// targets: i64 by row, in range. Decided by x's dtype, which loss has; lse is f32 for f16 and bf16.
struct CrossEntropyArgs {
  Operand x, targets;
  double smoothing;
  Operand loss, lse;
};

// dx = dloss[row] (exp(x - lse) - t), t = smoothing / K + (1 - smoothing) at the target. One dtype
// but for lse, as above.
struct CrossEntropyGradArgs {
  Operand x, targets, lse, dloss;
  double smoothing;
  Operand dx;
};

// With p = softmax(x / T) and q = softmax(t / T): loss[row] = T^2 sum q (log q - log p); x_lse and
// t_lse by row are the log-sum-exps of x / T and t / T, f32 for f16 and bf16. Decided by x's dtype,
// which the others have. Where slope has data (a CPU's kernels only), it becomes T (p - q), the
// derivative of the row's loss by x: the exponentials are at hand anyway.
struct KlDivArgs {
  Operand x, t;
  double temperature;
  Operand loss, x_lse, t_lse;
  Operand slope = {};
};

// dx = dloss[row] T (p - q). One dtype but for the log-sum-exps.
struct KlDivGradArgs {
  Operand x, t, x_lse, t_lse, dloss;
  double temperature;
  Operand dx;
};

// An index operation along one axis of contiguous operands: sizes before and after the axis are
// multiplied into outer and inner. Indices are i64, in range.

// y[o, i, k] = x[o, index[i], k] with x [outer, n, inner], index [m], y [outer, m, inner]. Decided
// by x's dtype, which y has.
struct IndexSelectArgs {
  Operand x, index, y;
  std::int64_t outer, n, m, inner;
};

// y[o, index[i], k] += x[o, i, k], in the order of i; x [outer, m, inner], y [outer, n, inner].
struct IndexAddArgs {
  Operand x, index, y;
  std::int64_t outer, n, m, inner;
};

// y[o, i, k] = x[o, index[o, i, k], k]; index and y [outer, m, inner].
struct GatherArgs {
  Operand x, index, y;
  std::int64_t outer, n, m, inner;
};

// y[o, index[o, i, k], k] += x[o, i, k], in the order of i; index and x [outer, m, inner].
struct ScatterAddArgs {
  Operand x, index, y;
  std::int64_t outer, n, m, inner;
};

// Sparse rows: row i of a matrix has the entries e in [offsets[i], offsets[i + 1]), entry e the
// column columns[e]. offsets, columns and order are i64, contiguous, in range; so are the other
// operands.

// y[i, :] = sum over row i's entries e of v_e x[columns[e], :] in the order of e, with v_e =
// values[order[e]]; without `order` (no data) values[e], without `values` 1. offsets [rows + 1], x
// [n, inner], y [rows, inner]. Decided by x's dtype, which values and y have.
struct CsrMatmulArgs {
  Operand offsets, columns, order, values, x, y;
  std::int64_t rows, inner;
};

// y[e] = sum_k a[rows[e], k] b[columns[e], k]; a and b [..., inner], y [n]. Decided by a's dtype,
// which b and y have.
struct CsrDotArgs {
  Operand rows, columns, a, b, y;
  std::int64_t n, inner;
};

// y[i, k] (i64) = the columns[e] of row i with the largest x[columns[e], k], the first of equals;
// NaN wins; 0 for a row without entries. Decided by x's dtype.
struct SegmentArgmaxArgs {
  Operand offsets, columns, x, y;
  std::int64_t rows, inner;
};

// z = condition ? x : y, elementwise, all expanded to z's sizes; condition is bool. Decided by z's
// dtype, which x and y have.
struct WhereArgs {
  Operand condition, x, y, z;
};

// y[row] = index of the largest (smallest) value of x, the first of several; NaN wins. y is i64.
// Decided by x's dtype.
struct ArgReduceArgs {
  bool largest;
  Operand x, y;
};

// y and index (i64) = the values of x sorted by row, stable, and where they were; NaN comes last.
// Decided by x's dtype, which y has.
struct SortArgs {
  bool descending;
  Operand x, y, index;
};

// y = running sums of x by row, from the last value on if `reverse`. Decided by x's dtype, which y
// has.
struct CumsumArgs {
  bool reverse;
  Operand x, y;
};

}  // namespace athanor
