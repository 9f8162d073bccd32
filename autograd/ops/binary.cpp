#include "autograd/ops/binary.h"

#include "autograd/autocast.h"
#include "autograd/node.h"
#include "autograd/ops/copy.h"
#include "tensor/ops/copy.h"

namespace athanor {
namespace {

// dy goes where `a_wins`, half of it to each side of a tie.
Variable pick(const char* op, const Variable& a, const Variable& b, Tensor y, bool larger) {
  return record(op, std::move(y), {a, b},
                [a = Saved(a), b = Saved(b), larger](const Variable& dy, Gradients& d) {
                  const Tensor &x = a.get(d).tensor(), &z = b.get(d).tensor();
                  const DType dtype = dy.dtype();
                  const Tensor wins = cast(larger ? greater(x, z) : less(x, z), dtype);
                  const Tensor tie = mul(cast(equal(x, z), dtype), 0.5);
                  const Variable share{add(wins, tie)};
                  if (d.needs(0)) d.set(0, mul(dy, share));
                  if (d.needs(1)) d.set(1, mul(dy, sub(ones_like(share.tensor()), share.tensor())));
                });
}

}  // namespace

Variable add(const Variable& a, const Variable& b) {
  return record("add", add(a.tensor(), b.tensor()), {a, b}, [](const Variable& dy, Gradients& d) {
    if (d.needs(0)) d.set(0, dy);
    if (d.needs(1)) d.set(1, dy);
  });
}

Variable sub(const Variable& a, const Variable& b) {
  return record("sub", sub(a.tensor(), b.tensor()), {a, b}, [](const Variable& dy, Gradients& d) {
    if (d.needs(0)) d.set(0, dy);
    if (d.needs(1)) d.set(1, neg(dy));
  });
}

Variable add(Variable&& a, const Variable& b) {
  if (a.state() == b.state()) return add(std::as_const(a), b);
  Tensor y = add(std::move(a).take_tensor(), b.tensor());
  return record("add", std::move(y), {a, b}, [](const Variable& dy, Gradients& d) {
    if (d.needs(0)) d.set(0, dy);
    if (d.needs(1)) d.set(1, dy);
  });
}

Variable sub(Variable&& a, const Variable& b) {
  if (a.state() == b.state()) return sub(std::as_const(a), b);
  Tensor y = sub(std::move(a).take_tensor(), b.tensor());
  return record("sub", std::move(y), {a, b}, [](const Variable& dy, Gradients& d) {
    if (d.needs(0)) d.set(0, dy);
    if (d.needs(1)) d.set(1, neg(dy));
  });
}

Variable mul(const Variable& a, const Variable& b) {
  return record("mul", mul(a.tensor(), b.tensor()), {a, b},
                [a = Saved(a), b = Saved(b)](const Variable& dy, Gradients& d) {
                  if (d.needs(0)) d.set(0, mul(dy, b.get(d)));
                  if (d.needs(1)) d.set(1, mul(dy, a.get(d)));
                });
}

Variable div(const Variable& a, const Variable& b) {
  return record("div", div(a.tensor(), b.tensor()), {a, b},
                [a = Saved(a), b = Saved(b)](const Variable& dy, Gradients& d) {
                  const Variable& divisor = b.get(d);
                  if (d.needs(0)) d.set(0, div(dy, divisor));
                  if (d.needs(1)) d.set(1, neg(div(mul(dy, a.get(d)), square(divisor))));
                });
}

Variable pow(const Variable& a, const Variable& b) {
  if (autocasts("pow", a, b)) return pow(autocast("pow", a), autocast("pow", b));
  const Tensor y = pow(a.tensor(), b.tensor());
  return record("pow", y, {a, b},
                [a = Saved(a), b = Saved(b), y = SavedOutput(y)](const Variable& dy, Gradients& d) {
                  const Variable &base = a.get(d), &exponent = b.get(d);
                  if (d.needs(0)) d.set(0, dy * exponent * pow(base, exponent - 1.0));
                  if (d.needs(1)) d.set(1, dy * y.get(d) * log(base));
                });
}

Variable maximum(const Variable& a, const Variable& b) {
  return pick("maximum", a, b, maximum(a.tensor(), b.tensor()), true);
}

Variable minimum(const Variable& a, const Variable& b) {
  return pick("minimum", a, b, minimum(a.tensor(), b.tensor()), false);
}

Variable lerp(const Variable& a, const Variable& b, const Variable& weight) {
  const Tensor y = lerp(a.tensor(), b.tensor(), weight.tensor());
  return record("lerp", y, {a, b, weight},
                [a = Saved(a), b = Saved(b), w = Saved(weight)](const Variable& dy, Gradients& d) {
                  if (d.needs(0)) d.set(0, dy * (1.0 - w.get(d)));
                  if (d.needs(1)) d.set(1, dy * w.get(d));
                  if (d.needs(2)) d.set(2, dy * (b.get(d) - a.get(d)));
                });
}

}  // namespace athanor
