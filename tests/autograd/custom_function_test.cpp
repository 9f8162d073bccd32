// A user's own operation: record() with a rule, see autograd/node.h and examples/tour.
#include <catch2/catch.hpp>

#include "autograd/gradcheck.h"
#include "autograd/node.h"
#include "autograd/ops.h"

using namespace athanor;
using Vars = std::vector<Variable>;

namespace {

// y = x / (1 + |x|);  dx = dy / (1 + |x|)^2 = dy (1 - |y|)^2
Variable softsign(const Variable& x) {
  const Tensor value = div(x.tensor(), add(abs(x.tensor()), 1.0));
  return record("softsign", value, {x}, [y = SavedOutput(value)](const Variable& dy, Gradients& d) {
    d.set(0, dy * square(1.0 - abs(y.get(d))));
  });
}

// Identity forward, -factor times the gradient backward (Ganin & Lempitsky 2015).
Variable reverse_gradient(const Variable& x, double factor) {
  return record("reverse_gradient", x.tensor(), {x},
                [factor](const Variable& dy, Gradients& d) { d.set(0, dy * -factor); });
}

// Two results: s = a + b and p = a b.
std::vector<Variable> sum_and_product(const Variable& a, const Variable& b) {
  const std::reference_wrapper<const Variable> inputs[] = {a, b};
  return record_many("sum_and_product", {add(a.tensor(), b.tensor()), mul(a.tensor(), b.tensor())},
                     inputs,
                     [a = Saved(a), b = Saved(b)](std::span<const Variable> dy, Gradients& d) {
                       for (int i = 0; i < 2; ++i) {
                         if (!d.needs(i)) continue;
                         Variable g;
                         if (dy[0].defined()) g = dy[0];
                         if (dy[1].defined()) {
                           const Variable through = dy[1] * (i == 0 ? b : a).get(d);
                           g = g.defined() ? g + through : through;
                         }
                         d.set(i, g);
                       }
                     });
}

}  // namespace

TEST_CASE("a custom function is differentiable twice") {
  Generator g(2);
  const Tensor x = random_normal({5}, g, 0, 1, DType::f64);
  const DifferentiableFunction f = [](const Vars& in) { return softsign(in[0]); };
  CHECK(gradcheck(f, {x}).ok);
  CHECK(gradgradcheck(f, {x}).ok);
}

TEST_CASE("a custom function may change the gradient on purpose") {
  const Variable x(scalar(2), true);
  (reverse_gradient(x, 0.5) * 3.0).backward();
  CHECK(x.grad().item() == -1.5);
}

TEST_CASE("a custom function with two results gets the gradients that arrive") {
  const Variable a(scalar(2), true), b(scalar(5), true);
  const auto both = sum_and_product(a, b);
  CHECK(grad({both[1]}, {a}, false, true)[0].item() == 5);
  const auto g = grad({both[0] * 10.0 + both[1]}, {a, b});
  CHECK(g[0].item() == 15);
  CHECK(g[1].item() == 12);
}

TEST_CASE("a rule that forgets a gradient is an error, not a zero") {
  const Variable x(scalar(2), true);
  const Variable y = record("forgetful", x.tensor(), {x}, [](const Variable&, Gradients&) {});
  CHECK_THROWS_WITH(y.backward(), Catch::Contains("forgetful gave no gradient for its input 0"));
}
