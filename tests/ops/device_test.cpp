#include <catch2/catch.hpp>

#include "autograd/ops.h"
#include "autograd/ops/device.h"
#include "tests/ops/op_case.h"

using namespace athanor;
using athanor::test::check_op_case;
using Vars = std::vector<Variable>;

// On a device this goes there and back; devices that are absent are tested in tests/cuda.
TEST_CASE("to: values and gradients") {
  check_op_case({"to", {{{3, 4}}}, [](const Vars& x) {
                   const Variable there = to(x[0], Device{}) * 2.0;
                   return to(there, x[0].device());
                 }});
  const Variable x(ones({2}), true);
  CHECK(to(x, Device{}).state() == x.state());
}
