// Eight axes, the most that a tensor has: every family of operations with all the checks of a case.
#include <catch2/catch.hpp>

#include "autograd/ops.h"
#include "tests/ops/op_case.h"

namespace athanor::test {
namespace {

using Vars = std::vector<Variable>;

const Shape& deep() {
  static const Shape shape{2, 1, 2, 1, 2, 1, 2, 3};
  return shape;
}

TEST_CASE("operations of rank 8") {
  const Shape other{1, 2, 1, 1, 2, 1, 1, 3};
  check_op_case({"exp", {{deep()}}, [](const Vars& x) { return exp(x[0]); }});
  check_op_case({"mul", {{deep()}, {other}}, [](const Vars& x) { return x[0] * x[1]; }});
  check_op_case({"sum", {{deep()}}, [](const Vars& x) { return sum(x[0], {1, 4, -1}); }});
  check_op_case({"amax", {{deep()}}, [](const Vars& x) { return amax(x[0], {0, 6}, true); }});
  check_op_case({"softmax", {{deep()}}, [](const Vars& x) { return softmax(x[0], 4); }});
  check_op_case({"cumsum", {{deep()}}, [](const Vars& x) { return cumsum(x[0], 2); }});
  check_op_case({"sort", {{deep()}}, [](const Vars& x) { return sort(x[0], 0).values; }});
  check_op_case({"permute", {{deep()}}, [](const Vars& x) {
                   return permute(x[0], {7, 5, 3, 1, 6, 4, 2, 0});
                 }});
  check_op_case({"slice", {{deep()}}, [](const Vars& x) { return slice(x[0], 7, 0, 3, 2); }});
  check_op_case({"flip", {{deep()}}, [](const Vars& x) { return flip(x[0], {0, 4, 7}); }});
  check_op_case({"cat", {{deep()}, {deep()}}, [](const Vars& x) { return cat(x, 5); }});
  check_op_case({"var", {{deep()}}, [](const Vars& x) { return var(x[0], {0, 7}); }});
}

TEST_CASE("products and indices of rank 8") {
  const Shape left{2, 1, 2, 1, 1, 1, 2, 3}, right{1, 2, 1, 1, 2, 1, 3, 2};
  check_op_case({"matmul", {{left}, {right}}, [](const Vars& x) { return matmul(x[0], x[1]); }});
  const Tensor index = from_values<std::int64_t>({2, 0, 0, 1}, {4});
  check_op_case({"index_select", {{deep()}}, [=](const Vars& x) {
                   return index_select(x[0], 7, beside(x[0], index));
                 }});
  check_op_case({"where", {{deep()}, {deep()}}, [](const Vars& x) {
                   return where(greater(x[0].tensor(), x[1].tensor()), x[0], x[1]);
                 }});
}

}  // namespace
}  // namespace athanor::test
