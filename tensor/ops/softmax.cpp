#include "tensor/ops/softmax.h"

#include "tensor/ops/operand.h"
#include "tensor/ops/shape.h"

namespace athanor {
namespace {

Tensor run(const char* name, SoftmaxOp op, const Tensor& x, int axis) {
  check_dtype(name, "x", x, kRealDTypes, "a floating dtype");
  axis = normalize_axis(name, axis, x.shape());
  Tensor y = empty_like(x);
  if (x.numel() == 0) return y;
  const Tensor from = transpose(x, axis, -1), to = transpose(y, axis, -1);
  launch(name, &Kernels::softmax, x.dtype(), x.device(),
         SoftmaxArgs{op, operand(from), operand(to)});
  return y;
}

Tensor run_grad(const char* name, SoftmaxOp op, const Tensor& y, const Tensor& dy, int axis) {
  check_dtype(name, "y", y, kRealDTypes, "a floating dtype");
  check_defined(name, "dy", dy);
  check_same_device(name, y, dy);
  if (!(y.shape() == dy.shape()) || y.dtype() != dy.dtype()) {
    fail(name, "expected dy like y ", describe(y), ", got ", describe(dy));
  }
  axis = normalize_axis(name, axis, y.shape());
  Tensor dx = empty_like(y);
  if (y.numel() == 0) return dx;
  const Tensor value = transpose(y, axis, -1), from = transpose(dy, axis, -1),
               to = transpose(dx, axis, -1);
  launch(name, &Kernels::softmax_grad, y.dtype(), y.device(),
         SoftmaxGradArgs{op, operand(value), operand(from), operand(to)});
  return dx;
}

}  // namespace

Tensor softmax(const Tensor& x, int axis) { return run("softmax", SoftmaxOp::softmax, x, axis); }

Tensor log_softmax(const Tensor& x, int axis) {
  return run("log_softmax", SoftmaxOp::log_softmax, x, axis);
}

Tensor softmax_grad(const Tensor& y, const Tensor& dy, int axis) {
  return run_grad("softmax_grad", SoftmaxOp::softmax, y, dy, axis);
}

Tensor log_softmax_grad(const Tensor& y, const Tensor& dy, int axis) {
  return run_grad("log_softmax_grad", SoftmaxOp::log_softmax, y, dy, axis);
}

Tensor logsumexp(const Tensor& x, const Axes& axes, bool keepdim) {
  check_dtype("logsumexp", "x", x, kRealDTypes, "a floating dtype");
  const unsigned reduced = reduced_axes("logsumexp", x.shape(), axes);
  // The kernel works by row: the reduced axes go last and become one.
  Shape kept = x.shape(), dropped, flat;
  std::vector<int> order;
  std::int64_t n = 1;
  for (int i = 0; i < x.rank(); ++i) {
    if (reduced >> i & 1u) {
      n *= x.shape()[i];
      kept[i] = 1;
    } else {
      dropped.push_back(x.shape()[i]);
      order.push_back(i);
    }
  }
  flat = dropped;
  flat.push_back(n);
  const Tensor y = empty(dropped, x.dtype(), x.device());
  if (n == 0 && y.numel() > 0) {
    fail("logsumexp", "expected at least one element to reduce, got ", describe(x));
  }
  if (y.numel() > 0) {
    for (int i = 0; i < x.rank(); ++i) {
      if (reduced >> i & 1u) order.push_back(i);
    }
    const Tensor from = reshape(permute(x, order), flat);
    const Tensor to = unsqueeze(y, -1);
    launch("logsumexp", &Kernels::logsumexp, x.dtype(), x.device(),
           LogSumExpArgs{operand(from), operand(to)});
  }
  return keepdim ? reshape(y, kept) : y;
}

}  // namespace athanor
