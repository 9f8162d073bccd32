// Gradients: a Variable is a tensor that remembers where it came from.
#include <iostream>

#include "autograd/gradcheck.h"
#include "autograd/graph.h"
#include "autograd/ops.h"

using namespace athanor;

int main() {
  const Variable w(from_values<double>({0.5, -1}, {2}), true);
  const Variable x(from_values<double>({1, 2, 3, 4}, {2, 2}));

  // Operations on variables are recorded as they run.
  const Variable loss = mean(square(matmul(x, w)));
  std::cout << graph_text(loss, {{"w", w}});

  // backward() adds to grad() of the leaves.
  loss.backward({}, true);
  std::cout << "dloss/dw = " << w.grad().tensor() << '\n';

  // Gradients are computed with the same operations, so they have gradients themselves: here the
  // product of the Hessian with v, without ever forming the Hessian.
  const Variable gradient = grad({loss}, {w}, true)[0];
  const Variable v(from_values<double>({1, 0}, {2}));
  std::cout << "H v = " << grad({sum(gradient * v)}, {w})[0].tensor() << '\n';

  // Without a record: evaluation.
  {
    const NoGrad no_grad;
    std::cout << std::boolalpha << matmul(x, w).requires_grad() << '\n';
  }

  // Does a gradient agree with differences? Part of the product, for your own functions too.
  const auto f = [](const std::vector<Variable>& in) { return sum(sin(in[0]) * in[0]); };
  std::cout << gradcheck(f, {w.tensor()}).ok << '\n';
}
