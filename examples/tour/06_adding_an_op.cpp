// Adding an operation: a forward value, and a rule for the gradient beside it.
#include <iostream>

#include "autograd/gradcheck.h"
#include "autograd/node.h"
#include "autograd/ops.h"
#include "tensor/random.h"

using namespace athanor;

namespace {

// y = log(cosh(x)), a smooth absolute value; dx = dy tanh(x)
//
// The forward pass works on plain tensors. The rule is written with operations on variables, so
// that the gradient can be differentiated again. Saved notices when x is written in place before
// backward.
Variable log_cosh(const Variable& x) {
  const Tensor a = abs(x.tensor());
  // |x| + log1p(exp(-2 |x|)) - log 2 does not overflow.
  const Tensor value = add(add(a, log1p(exp(mul(a, -2)))), -0.6931471805599453);
  return record("log_cosh", value, {x}, [x = Saved(x)](const Variable& dy, Gradients& d) {
    d.set(0, dy * tanh(x.get(d)));
  });
}

}  // namespace

int main() {
  const Variable x(from_values<double>({-300, -1, 0, 1, 300}, {5}), true);
  const Variable y = log_cosh(x);
  std::cout << y.tensor() << '\n';
  std::cout << grad({sum(y)}, {x})[0].tensor() << '\n';

  // First and second derivatives against differences.
  Generator generator(1);
  const Tensor points = random_normal({8}, generator, 0, 1, DType::f64);
  const auto f = [](const std::vector<Variable>& in) { return log_cosh(in[0]); };
  std::cout << std::boolalpha << gradcheck(f, {points}).ok << ' ' << gradgradcheck(f, {points}).ok
            << '\n';
}
