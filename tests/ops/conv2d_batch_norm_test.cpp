#include <catch2/catch.hpp>
#include <cmath>

#include "autograd/ops.h"
#include "tensor/base/compute_dtype.h"
#include "tensor/ops/layout.h"
#include "tensor/random.h"
#include "tests/ops/op_case.h"

namespace athanor::test {
namespace {

using Vars = std::vector<Variable>;

// x, w, gamma, beta as a case: a bias' gradient is 0 but for rounding, see check_apart().
OpCase fused_case(const char* name, const Shape& x, const Shape& w,
                  const Conv2dBatchNormOptions& options, bool numeric = true) {
  OpCase c{name, {{x}, {w}, {{w[0]}, 0.5, 2}, {{w[0]}}}, [options](const Vars& v) {
             const DType wide = compute_dtype(v[2].dtype());
             Tensor mean = beside(v[0], zeros({v[2].numel()}, wide));
             Tensor var = beside(v[0], ones({v[2].numel()}, wide));
             return conv2d_batch_norm(v[0], v[1], {}, v[2], v[3], mean, var, options);
           }};
  c.numeric = numeric;
  // oneDNN, which serves groups and dilation, splits a weight's gradient by the number of threads.
  c.thread_invariant = options.conv.groups == 1 && options.conv.dilation == Size2(1);
  // Sums of products, then divided by a deviation: as conv2d and batch_norm, one after the other.
  c.tolerance_f32 = 1e-4;
  c.tolerance_bf16 = 0.1;
  c.tolerance_f16 = 0.02;
  return c;
}

TEST_CASE("conv2d_batch_norm and its gradients") {
  const Conv2dOptions same{.padding = 1};
  check_op_case(fused_case("conv2d_batch_norm/plain", {2, 2, 4, 3}, {3, 2, 3, 3}, {same, {}, {}}));
  check_op_case(fused_case("conv2d_batch_norm/relu pooled", {2, 2, 4, 4}, {3, 2, 3, 3},
                           {same, {.relu = true}, Pool2dOptions{}}));
  check_op_case(fused_case("conv2d_batch_norm/stride", {2, 2, 5, 4}, {2, 2, 1, 1},
                           {{.stride = 2}, {.relu = true}, {}}));
  check_op_case(fused_case("conv2d_batch_norm/overlap", {2, 1, 5, 5}, {2, 1, 2, 2},
                           {{}, {}, Pool2dOptions{.kernel = 3, .stride = 1}}));
  check_op_case(fused_case("conv2d_batch_norm/groups", {2, 4, 3, 3}, {2, 2, 2, 2},
                           {{.groups = 2}, {.relu = true}, {}}));
}

// The two or three operations one after the other: values, gradients and running statistics.
void check_apart(const Shape& x_shape, const Shape& w_shape, const Conv2dBatchNormOptions& o,
                 bool with_bias) {
  Generator g(21);
  for (const DType dtype : {DType::f32, DType::f64}) {
    const auto leaf = [&](const Shape& shape) {
      return Variable(cast(random_normal(shape, g), dtype), true);
    };
    const Variable x = leaf(x_shape), w = leaf(w_shape);
    const Variable b = with_bias ? leaf({w_shape[0]}) : Variable();
    const Variable gamma = leaf({w_shape[0]}), beta = leaf({w_shape[0]});
    Tensor mean = zeros({w_shape[0]}, dtype), var = ones({w_shape[0]}, dtype);
    Tensor mean2 = clone(mean), var2 = clone(var);
    const Variable one = conv2d_batch_norm(x, w, b, gamma, beta, mean, var, o);
    const Variable z = conv2d(x, w, b, o.conv);
    const Variable two = o.pool
                             ? batch_norm_max_pool2d(z, gamma, beta, mean2, var2, o.norm, *o.pool)
                             : batch_norm(z, gamma, beta, mean2, var2, o.norm);
    REQUIRE(one.shape() == two.shape());
    CHECK(all(equal(one.tensor(), two.tensor())).item() == 1);
    CHECK(all(equal(mean, mean2)).item() == 1);
    CHECK(all(equal(var, var2)).item() == 1);
    const Variable dy(cast(random_normal(one.shape(), g), dtype));
    std::vector<Variable> inputs{x, w, gamma, beta};
    if (with_bias) inputs.push_back(b);
    const auto got = grad({one}, inputs, false, false, false, {dy});
    const auto expected = grad({two}, inputs, false, false, false, {dy});
    // Sums of up to 10^4 products, of which only the order may differ where oneDNN does one of
    // them.
    const double grain = dtype == DType::f32 ? 1e-5 : 1e-13;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      INFO("input " << i << " dtype " << dtype);
      // The bias' gradient is 0 but for rounding: against the size of what it sums.
      const double scale = i == 4 ? static_cast<double>(dy.numel()) : 0;
      CHECK(amax(abs(sub(got[i].tensor(), expected[i].tensor()))).item() <=
            grain * (1 + scale + amax(abs(expected[i].tensor())).item()));
    }
  }
}

TEST_CASE("conv2d_batch_norm equals conv2d, batch_norm and max_pool2d") {
  const Conv2dOptions same{.padding = 1};
  check_apart({19, 1, 12, 12}, {32, 1, 3, 3}, {same, {.relu = true}, Pool2dOptions{}}, true);
  check_apart({5, 17, 8, 6}, {21, 17, 3, 3}, {same, {.relu = true}, Pool2dOptions{}}, false);
  check_apart({3, 16, 9, 7}, {24, 16, 3, 3}, {{.stride = 2, .padding = 1}, {}, {}}, false);
  check_apart({3, 16, 8, 8}, {24, 16, 1, 1}, {{.stride = 2}, {.relu = true}, {}}, false);
  check_apart({2, 8, 9, 9}, {8, 8, 3, 3}, {same, {.relu = true}, Pool2dOptions{}}, true);  // odd
  check_apart({2, 8, 8, 8}, {8, 4, 3, 3}, {{.padding = 1, .groups = 2}, {}, {}}, true);
  check_apart({2, 8, 8, 8}, {8, 8, 3, 3}, {{.dilation = 2}, {.relu = true}, {}}, true);
  check_apart({2, 3, 4, 5}, {4, 3, 2, 2}, {{.padding = 3}, {}, {}}, true);  // beyond the kernel
}

TEST_CASE("conv2d_batch_norm: an image that needs no gradient gets none, evaluation is as before") {
  Generator g(5);
  const Variable x(random_normal({4, 3, 6, 6}, g));
  const Variable w(random_normal({8, 3, 3, 3}, g), true);
  const Variable gamma(ones({8}), true), beta(zeros({8}), true);
  Tensor mean = zeros({8}), var = ones({8});
  const std::int64_t before = reorder_count();
  const Variable image(channels_last(x.tensor()));
  const Variable y = conv2d_batch_norm(image, w, {}, gamma, beta, mean, var, {});
  sum(mul(y, y)).backward();
  CHECK(w.grad().defined());
  CHECK(reorder_count() == before);
  CHECK_FALSE(x.grad().defined());
  Conv2dBatchNormOptions still;
  still.norm.training = false;
  const Tensor kept = clone(mean);
  const Variable e = conv2d_batch_norm(x, w, {}, gamma, beta, mean, var, still);
  CHECK(all(equal(mean, kept)).item() == 1);
  const Variable expected = batch_norm(conv2d(x, w), gamma, beta, mean, var, still.norm);
  CHECK(all(equal(e.tensor(), expected.tensor())).item() == 1);
}

TEST_CASE("conv2d_batch_norm names what does not fit") {
  const Variable x(ones({2, 3, 4, 4})), w(ones({4, 3, 3, 3}), true), four(ones({4}), true);
  Tensor mean = zeros({4}), var = ones({4});
  CHECK_THROWS_WITH(
      conv2d_batch_norm(x, Variable(ones({4, 2, 3, 3}), true), {}, four, four, mean, var),
      Catch::Contains("[conv2d] expected w"));
  CHECK_THROWS_WITH(conv2d_batch_norm(x, w, {}, Variable(ones({3}), true), four, mean, var),
                    Catch::Contains("[batch_norm]") && Catch::Contains("gamma"));
  CHECK_THROWS_WITH(
      conv2d_batch_norm(x, w, {}, four, four, mean, var, {{}, {}, Pool2dOptions{.kernel = 9}}),
      Catch::Contains("[max_pool2d]"));
  const Tensor z = conv2d(x.tensor(), w.tensor());
  const BatchNormResult saved =
      batch_norm_with_statistics(z, four.tensor(), four.tensor(), mean, var, {});
  CHECK_THROWS_WITH(
      conv2d_batch_norm_backward(ones({2, 4, 2, 3}), x.tensor(), w.tensor(), z, four.tensor(),
                                 four.tensor(), saved, {}, false, true, false),
      Catch::Contains("[conv2d_batch_norm_backward] expected dy of shape"));
}

}  // namespace
}  // namespace athanor::test
