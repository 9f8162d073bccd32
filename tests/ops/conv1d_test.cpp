#include <catch2/catch.hpp>

#include "autograd/ops.h"
#include "tensor/ops/layout.h"
#include "tests/ops/op_case.h"

namespace athanor::test {
namespace {

using Vars = std::vector<Variable>;

OpCase conv_case(const char* name, const Shape& x, const Shape& w, const Conv1dOptions& options,
                 bool numeric = true) {
  OpCase c{name, {{x}, {w}, {{w[0]}}}, [options](const Vars& v) {
             return conv1d(v[0], v[1], v[2], options);
           }};
  c.numeric = numeric;
  c.thread_invariant = false;  // oneDNN, as in conv2d_test.cpp
  c.tolerance_f32 = 2e-5;      // as in conv2d_test.cpp
  return c;
}

OpCase transpose_case(const char* name, const Shape& x, const Shape& w,
                      const ConvTranspose1dOptions& options, bool numeric = true) {
  OpCase c{name, {{x}, {w}, {{w[1] * options.groups}}}, [options](const Vars& v) {
             return conv_transpose1d(v[0], v[1], v[2], options);
           }};
  c.numeric = numeric;
  c.thread_invariant = false;
  c.tolerance_f32 = 2e-5;
  return c;
}

TEST_CASE("conv1d and its gradients") {
  check_op_case(conv_case("conv1d/same", {2, 3, 7}, {4, 3, 3}, {.padding = 1}));
  check_op_case(conv_case("conv1d/stride", {2, 2, 9}, {3, 2, 4}, {.stride = 3, .padding = 2}));
  check_op_case(conv_case("conv1d/dilated groups", {2, 4, 9}, {6, 2, 3},
                          {.padding = 1, .dilation = 3, .groups = 2}));
  check_op_case(conv_case("conv1d/large", {3, 16, 200}, {32, 16, 9}, {.padding = 4}, false));
}

TEST_CASE("conv_transpose1d and its gradients") {
  check_op_case(transpose_case("conv_transpose1d", {2, 3, 4}, {3, 2, 3}, {}));
  check_op_case(transpose_case("conv_transpose1d/stride", {2, 2, 4}, {2, 3, 4},
                               {.stride = 3, .padding = 1, .output_padding = 2}));
  check_op_case(transpose_case("conv_transpose1d/dilated groups", {2, 4, 3}, {4, 1, 2},
                               {.dilation = 2, .groups = 2}));
  check_op_case(
      transpose_case("conv_transpose1d/large", {3, 16, 50}, {16, 8, 8}, {.stride = 4}, false));
}

TEST_CASE("conv1d at known values") {
  const Tensor x = from_values<double>({1, 2, 3, 4, 5}, {1, 1, 5});
  const Tensor w = from_values<double>({1, 0, -1}, {1, 1, 3});
  CHECK(conv1d(x, w).tensor().to_vector<double>() == std::vector<double>{-2, -2, -2});
  CHECK(conv1d(x, w, {}, {.stride = 2, .padding = 1}).tensor().to_vector<double>() ==
        std::vector<double>{-2, -2, 4});
  CHECK(conv1d(x, w, {}, {.dilation = 2}).tensor().to_vector<double>() == std::vector<double>{-4});
  // Each element lays down the kernel, two apart.
  const Tensor two = from_values<double>({1, 10}, {1, 1, 2});
  CHECK(conv_transpose1d(two, w, {}, {.stride = 2}).tensor().to_vector<double>() ==
        std::vector<double>{1, 0, 9, 0, -10});
}

TEST_CASE("a chain of conv1d reorders its input once") {
  const Tensor x = ones({2, 4, 16}), w = ones({4, 4, 3});
  const std::int64_t before = reorder_count();
  conv1d(conv1d(x, w), w);
  CHECK(reorder_count() == before + 1);
}

TEST_CASE("conv1d and conv_transpose1d name what does not fit") {
  const Tensor x = ones({1, 4, 5}), w = ones({6, 4, 3});
  CHECK_THROWS_WITH(conv1d(ones({4, 5}), w),
                    Catch::Contains("[conv1d] expected x [N, C, L], got [4, 5] f32"));
  CHECK_THROWS_WITH(conv1d(x, ones({6, 4})), Catch::Contains("[conv1d] expected w"));
  CHECK_THROWS_WITH(conv1d(x, ones({6, 3, 3})), Catch::Contains("expected w [O, 4 / groups"));
  CHECK_THROWS_WITH(conv_transpose1d(ones({4, 5}), w), Catch::Contains("[conv_transpose1d]"));
  CHECK_THROWS_WITH(conv_transpose1d(x, w), Catch::Contains("expected w [4, O / groups, kH, kW]"));
}

}  // namespace
}  // namespace athanor::test
