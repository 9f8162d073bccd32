#include <catch2/catch.hpp>

#include "autograd/ops.h"
#include "tensor/random.h"
#include "tests/ops/op_case.h"

namespace athanor::test {
namespace {

using Vars = std::vector<Variable>;

OpCase transpose_case(const char* name, const Shape& x, const Shape& w,
                      const ConvTranspose2dOptions& options, bool numeric = true) {
  OpCase c{name, {{x}, {w}, {{w[1] * options.groups}}}, [options](const Vars& v) {
             return conv_transpose2d(v[0], v[1], v[2], options);
           }};
  c.numeric = numeric;
  c.thread_invariant = false;  // oneDNN, as in conv2d_test.cpp
  c.tolerance_f32 = 2e-5;      // as in conv2d_test.cpp
  return c;
}

TEST_CASE("conv_transpose2d and its gradients") {
  check_op_case(transpose_case("conv_transpose2d", {2, 3, 3, 2}, {3, 2, 2, 2}, {}));
  check_op_case(transpose_case("conv_transpose2d/stride", {1, 2, 3, 2}, {2, 3, 3, 4},
                               {.stride = {2, 3}, .padding = 1, .output_padding = {1, 2}}));
  check_op_case(transpose_case("conv_transpose2d/dilated groups", {1, 4, 2, 3}, {4, 1, 2, 2},
                               {.stride = 2, .dilation = {1, 2}, .groups = 2}));
  check_op_case(transpose_case("conv_transpose2d/depthwise", {1, 3, 3, 3}, {3, 1, 3, 3},
                               {.padding = 1, .groups = 3}));
  check_op_case(transpose_case("conv_transpose2d/large", {2, 32, 7, 7}, {32, 16, 4, 4},
                               {.stride = 2, .padding = 1}, false));
}

// <conv2d(x, w), y> = <x, conv_transpose2d(y, w)> for all x and y.
TEST_CASE("conv_transpose2d is the adjoint of conv2d") {
  Generator generator(8);
  const Tensor x = random_uniform({2, 4, 7, 8}, generator, -1, 1, DType::f64);
  const Tensor w = random_uniform({6, 2, 3, 2}, generator, -1, 1, DType::f64);
  const Tensor forward = conv2d(x, w, {}, {.stride = 2, .padding = 1, .dilation = 2, .groups = 2});
  const Tensor y = random_uniform(forward.shape(), generator, -1, 1, DType::f64);
  const Variable back = conv_transpose2d(
      y, w, {}, {.stride = 2, .padding = 1, .output_padding = {0, 1}, .dilation = 2, .groups = 2});
  REQUIRE(back.shape() == x.shape());
  const double left = sum(mul(forward, y)).item(), right = sum(mul(x, back.tensor())).item();
  CHECK(left == Approx(right).epsilon(1e-12));
}

TEST_CASE("conv_transpose2d names what does not fit") {
  const Tensor x = ones({1, 4, 5, 5}), w = ones({4, 2, 3, 3});
  CHECK_THROWS_WITH(conv_transpose2d(ones({4, 5}), w),
                    Catch::Contains("[conv_transpose2d] expected x [N, I, H, W], got [4, 5] f32"));
  CHECK_THROWS_WITH(conv_transpose2d(x, ones({3, 2, 3, 3})),
                    Catch::Contains("expected w [4, O / groups, kH, kW], got [3, 2, 3, 3]"));
  CHECK_THROWS_WITH(conv_transpose2d(x, w, ones({3})), Catch::Contains("expected b [2] f32"));
  CHECK_THROWS_WITH(conv_transpose2d(x, w, {}, {.groups = 3}),
                    Catch::Contains("groups dividing I = 4, got 3"));
  CHECK_THROWS_WITH(conv_transpose2d(x, w, {}, {.stride = 2, .output_padding = 2}),
                    Catch::Contains("output_padding in [0, stride), got (2, 2)"));
  CHECK_THROWS_WITH(conv_transpose2d(x, w, {}, {.stride = 0}), Catch::Contains("stride >= 1"));
  CHECK_THROWS_WITH(conv_transpose2d(x, w, {}, {.padding = 4}), Catch::Contains("got 5 and -1"));
}

}  // namespace
}  // namespace athanor::test
