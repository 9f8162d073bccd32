#include "autograd/ops/einsum.h"

#include "autograd/ops/binary.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "tensor/ops/einsum_steps.h"

namespace athanor {

Variable einsum(std::string_view equation, const std::vector<Variable>& operands) {
  std::vector<Tensor> values;
  for (const Variable& operand : operands) {
    if (!operand.defined()) fail("einsum", "expected defined operands, got an undefined one");
    values.push_back(operand.tensor());
  }
  return detail::run_einsum(detail::plan_einsum(equation, values), operands);
}

}  // namespace athanor
