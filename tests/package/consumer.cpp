// Uses the installed headers and libraries; exits 0 when the arithmetic is right.
#include <vector>

#include "tensor/ops.h"

int main() {
  const athanor::Tensor x = athanor::from_values<float>({1, 2, 3, 4, 5, 6}, {2, 3});
  const std::vector<float> expected = {2, 4, 6, 8, 10, 12};
  return athanor::add(x, x).to_vector<float>() == expected ? 0 : 1;
}
