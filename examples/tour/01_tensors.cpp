// Tensors: shape, dtype and shared memory.
#include <iostream>

#include "tensor/ops.h"
#include "tensor/random.h"

using namespace athanor;

int main() {
  Tensor x = from_values<float>({1, 2, 3, 4, 5, 6}, {2, 3});
  std::cout << x << '\n';

  // Slices, transposes and most reshapes are views: they share the memory of x.
  Tensor first_column = select(x, 1, 0);
  mul_(first_column, 10);
  std::cout << x << '\n';

  // Broadcasting as in NumPy: [2, 3] - [2, 1]. Dtypes are promoted as docs/dtypes.md says.
  std::cout << sub(x, mean(x, {1}, true)) << '\n';
  std::cout << add(x, arange(3)) << '\n';

  // Random numbers come from a generator with a seed: the same bits on each machine.
  Generator generator(7);
  std::cout << random_uniform({3}, generator) << '\n';

  // What does not fit is an exception that names the operation and what it got.
  try {
    matmul(x, x);
  } catch (const Error& error) {
    std::cout << error.what() << '\n';
  }
}
