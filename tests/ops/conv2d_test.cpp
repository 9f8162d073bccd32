#include <catch2/catch.hpp>
#include <cmath>

#include "autograd/ops.h"
#include "tensor/backend/kernels.h"
#include "tensor/ops/layout.h"
#include "tensor/random.h"
#include "tests/ops/op_case.h"

namespace athanor::test {
namespace {

using Vars = std::vector<Variable>;

// x, w and b of a convolution, as a case.
OpCase conv_case(const char* name, const Shape& x, const Shape& w, const Conv2dOptions& options,
                 bool numeric = true) {
  OpCase c{name, {{x}, {w}, {{w[0]}}}, [options](const Vars& v) {
             return conv2d(v[0], v[1], v[2], options);
           }};
  c.numeric = numeric;
  // oneDNN, which serves the rest, splits the sum of a weight gradient by the number of threads.
  c.thread_invariant = options.groups == 1 && options.dilation.h == 1 && options.dilation.w == 1;
  // Sums of up to 10^4 products in f32, whose error grows with their square root: 100 * 6e-8.
  c.tolerance_f32 = 2e-5;
  return c;
}

TEST_CASE("conv2d and its gradients") {
  check_op_case(conv_case("conv2d/3x3", {2, 2, 5, 4}, {3, 2, 3, 3}, {.padding = 1}));
  check_op_case(conv_case("conv2d/1x1", {2, 3, 3, 3}, {2, 3, 1, 1}, {}));
  check_op_case(conv_case("conv2d/stride", {1, 2, 6, 5}, {2, 2, 3, 2}, {.stride = {2, 3}}));
  // The last row and column of x lie in no window.
  check_op_case(conv_case("conv2d/unused edge", {1, 1, 6, 6}, {1, 1, 3, 3}, {.stride = 2}));
  check_op_case(conv_case("conv2d/dilation", {1, 1, 6, 7}, {2, 1, 2, 3},
                          {.padding = {0, 1}, .dilation = {3, 2}}));
  check_op_case(
      conv_case("conv2d/groups", {2, 4, 3, 3}, {6, 2, 2, 2}, {.padding = 1, .groups = 2}));
  check_op_case(
      conv_case("conv2d/depthwise", {1, 3, 4, 4}, {3, 1, 3, 3}, {.padding = 1, .groups = 3}));
}

TEST_CASE("the gradients of conv2d as operations") {
  OpCase input{"conv2d_backward_input", {{{2, 3, 3, 2}}, {{3, 2, 2, 2}}}, [](const Vars& v) {
                 return conv2d_backward_input(v[0], v[1], {2, 2, 4, 3});
               }};
  OpCase weight{"conv2d_backward_weight", {{{2, 3, 3, 2}}, {{2, 2, 4, 3}}}, [](const Vars& v) {
                  return conv2d_backward_weight(v[0], v[1], {3, 2, 2, 2});
                }};
  for (OpCase* c : {&input, &weight}) {
    check_op_case(*c);
  }
}

TEST_CASE("conv2d at sizes that reach each implementation, own and oneDNN's") {
  const auto check = [](const char* name, const Shape& x, const Shape& w,
                        const Conv2dOptions& options) {
    OpCase c = conv_case(name, x, w, options, false);
    // With few channels or in groups a pass is oneDNN's, whose bits depend on the threads outside
    // the deterministic mode.
    c.thread_invariant = x[1] >= 4 && options.groups == 1;
    // cuDNN's result is rounded before the bias comes on top; a sum that this moves across ReLU's
    // kink changes by its whole gradient.
    if (options.relu) c.tolerance_bf16 = 0.2;
    check_op_case(c);
  };
  check("conv2d/image", {4, 1, 28, 28}, {32, 1, 3, 3}, {.padding = 1});
  check("conv2d/rgb", {2, 3, 17, 19}, {16, 3, 5, 5}, {.stride = 2, .padding = 2});
  check("conv2d/blocked", {2, 32, 14, 14}, {64, 32, 3, 3}, {.padding = 1});
  check("conv2d/several parts", {19, 3, 6, 5}, {20, 3, 3, 3}, {.padding = 1});
  check("conv2d/padding beyond the kernel", {2, 3, 4, 5}, {4, 3, 2, 2}, {.padding = 3});
  check("conv2d/odd channels", {2, 17, 9, 11}, {23, 17, 3, 3}, {.stride = 2, .padding = 1});
  check("conv2d/5x5", {9, 12, 13, 11}, {20, 12, 5, 5}, {.padding = 2});
  check("conv2d/all edge", {9, 8, 2, 3}, {16, 8, 3, 3}, {.padding = 1});
  check("conv2d/pointwise", {2, 48, 7, 7}, {40, 48, 1, 1}, {});
  check("conv2d/pointwise stride", {2, 16, 7, 7}, {32, 16, 1, 1}, {.stride = 2});
  check("conv2d/wide dilation", {1, 16, 20, 20}, {16, 16, 3, 3}, {.padding = 2, .dilation = 2});
  check("conv2d/stride 3 by 2", {2, 16, 10, 11}, {24, 16, 5, 5}, {.stride = {3, 2}, .padding = 2});
  check("conv2d/stride beyond the kernel", {2, 16, 9, 9}, {16, 16, 2, 2}, {.stride = 3});
  check("conv2d/relu", {2, 32, 14, 14}, {40, 32, 3, 3}, {.padding = 1, .relu = true});
  check("conv2d/dilation relu", {1, 16, 9, 9}, {16, 16, 3, 3}, {.dilation = 2, .relu = true});
  check("conv2d/two groups", {2, 32, 8, 8}, {32, 16, 3, 3}, {.padding = 1, .groups = 2});
  check("conv2d/odd groups", {2, 9, 8, 8}, {6, 3, 3, 3}, {.padding = 1, .groups = 3});
  check("conv2d/depthwise 32", {2, 32, 12, 12}, {32, 1, 3, 3}, {.padding = 1, .groups = 32});
  check("conv2d/depthwise 20", {2, 20, 9, 9}, {20, 1, 3, 3},
        {.stride = 2, .padding = 1, .groups = 20});
}

// The definition, with its indices spelt out: neither kernel takes part.
// conv2d and what remains to be pooled are in one pass where no gradient is asked for: the OpCase
// checks that against the reference, and its gradients by the two operations.
OpCase pooled_case(const char* name, const Shape& x, const Shape& w, const Conv2dOptions& options,
                   const Pool2dOptions& pool = {}, bool numeric = true) {
  OpCase c = conv_case(name, x, w, options, numeric);
  c.run = [options, pool](const Vars& v) {
    return conv2d_max_pool2d(v[0], v[1], v[2], options, pool);
  };
  return c;
}

TEST_CASE("conv2d_max_pool2d and its gradients") {
  check_op_case(pooled_case("conv2d_max_pool2d/3x3", {2, 2, 4, 6}, {3, 2, 3, 3}, {.padding = 1}));
  check_op_case(pooled_case("conv2d_max_pool2d/odd", {2, 2, 5, 4}, {3, 2, 2, 2}, {.relu = true}));
  check_op_case(pooled_case("conv2d_max_pool2d/groups", {1, 2, 4, 4}, {2, 1, 3, 3},
                            {.padding = 1, .groups = 2}));
  check_op_case(pooled_case("conv2d_max_pool2d/overlap", {1, 2, 6, 6}, {2, 2, 1, 1}, {},
                            {.kernel = 3, .stride = 2}));
  check_op_case(pooled_case("conv2d_max_pool2d/large", {3, 1, 28, 28}, {32, 1, 3, 3},
                            {.padding = 1, .relu = true}, {}, false));
  check_op_case(pooled_case("conv2d_max_pool2d/edge", {2, 19, 14, 22}, {21, 19, 3, 3},
                            {.stride = {1, 2}, .padding = {1, 0}}, {}, false));
  // More rows than wait to be pooled at a time.
  check_op_case(pooled_case("conv2d_max_pool2d/bands", {9, 11, 20, 36}, {37, 11, 3, 3},
                            {.padding = 1}, {}, false));
}

TEST_CASE("conv2d_max_pool2d equals conv2d and max_pool2d bit by bit") {
  Generator g(12);
  for (const DType dtype : {DType::f32, DType::f64, DType::bf16}) {
    // 1 to 12 images: tasks are whole images, or pairs of rows of few.
    for (const std::int64_t N : {1, 2, 12}) {
      const Tensor x = cast(random_normal({N, 5, 10, 14}, g), dtype);
      const Tensor w = cast(random_normal({37, 5, 3, 3}, g), dtype);
      const Tensor b = cast(random_normal({37}, g), dtype);
      for (const bool relu : {false, true}) {
        const Conv2dOptions options{.padding = 1, .relu = relu};
        const Tensor one = conv2d_max_pool2d(x, w, b, options);
        const Tensor two = max_pool2d(conv2d(x, w, b, options));
        REQUIRE(one.shape() == Shape{N, 37, 5, 7});
        CHECK(all(equal(one, two)).item() == 1);
        CHECK(one.is_channels_last());
      }
    }
  }
}

TEST_CASE("conv2d_max_pool2d: NaN wins, an empty batch stays empty, errors are conv2d's") {
  Tensor x = ones({1, 1, 4, 4});
  x.data<float>()[5] = std::nanf("");
  const Tensor w = ones({1, 1, 1, 1});
  const std::vector<float> y = conv2d_max_pool2d(x, w, {}, {.relu = true}).to_vector<float>();
  CHECK(std::isnan(y[0]));
  CHECK(std::vector<float>(y.begin() + 1, y.end()) == std::vector<float>{1, 1, 1});
  CHECK(conv2d_max_pool2d(zeros({0, 1, 4, 4}), w).shape() == Shape{0, 1, 2, 2});
  CHECK_THROWS_WITH(conv2d_max_pool2d(x, ones({1, 2, 1, 1})),
                    Catch::Contains("[conv2d] expected w"));
  CHECK_THROWS_WITH(conv2d_max_pool2d(x, w, {}, {}, {.kernel = 5}), Catch::Contains("max_pool2d"));
}

TEST_CASE("conv2d gives the values of its definition") {
  Generator generator(3);
  const Tensor x = random_uniform({1, 2, 5, 6}, generator, -1, 1, DType::f64);
  const Tensor w = random_uniform({4, 1, 3, 2}, generator, -1, 1, DType::f64);
  const Tensor b = random_uniform({4}, generator, -1, 1, DType::f64);
  const Conv2dOptions options{.stride = {2, 1}, .padding = {1, 2}, .dilation = {1, 2}, .groups = 2};
  const Tensor y = conv2d(x, w, b, options);
  REQUIRE(y.shape() == Shape{1, 4, 3, 8});
  const auto xs = x.to_vector<double>(), ws = w.to_vector<double>(), bs = b.to_vector<double>(),
             ys = y.to_vector<double>();
  for (int o = 0; o < 4; ++o) {
    for (int i = 0; i < 3; ++i) {
      for (int j = 0; j < 8; ++j) {
        double sum = bs[std::size_t(o)];
        for (int p = 0; p < 3; ++p) {
          for (int q = 0; q < 2; ++q) {
            const int row = 2 * i - 1 + p, column = j - 2 + 2 * q;
            if (row < 0 || row >= 5 || column < 0 || column >= 6) continue;
            sum += ws[std::size_t((o * 3 + p) * 2 + q)] *
                   xs[std::size_t((o / 2 * 5 + row) * 6 + column)];
          }
        }
        // Six products in double.
        CHECK(ys[std::size_t((o * 3 + i) * 8 + j)] == Approx(sum).epsilon(1e-12));
      }
    }
  }
}

TEST_CASE("conv2d gives equal results for row-major and channels-last input") {
  Generator generator(4);
  const Tensor x = random_uniform({2, 8, 6, 7}, generator, -1, 1);
  const Tensor w = random_uniform({16, 8, 3, 3}, generator, -1, 1);
  const std::int64_t before = reorder_count();
  const Tensor from_rows = conv2d(x, w, {}, {.padding = 1});
  CHECK(reorder_count() == before + 1);
  const Tensor image = channels_last(x);
  const Tensor from_image = conv2d(image, w, {}, {.padding = 1});
  CHECK(reorder_count() == before + 1);
  CHECK(from_rows.is_channels_last());
  CHECK(from_rows.to_vector<float>() == from_image.to_vector<float>());
}

TEST_CASE("a training step of convolution, normalisation and pooling reorders no activation") {
  Generator generator(5);
  const Variable x{random_uniform({4, 1, 12, 12}, generator, 0, 1)};
  const Variable w1(random_uniform({16, 1, 3, 3}, generator, -1, 1), true);
  const Variable w2(random_uniform({8, 16, 3, 3}, generator, -1, 1), true);
  const Variable gamma(ones({16}), true), beta(zeros({16}), true);
  Tensor running_mean = zeros({16}), running_var = ones({16});
  const std::int64_t before = reorder_count();
  const Variable h =
      batch_norm(conv2d(x, w1, {}, {.padding = 1}), gamma, beta, running_mean, running_var);
  const Variable y = max_pool2d(relu(conv2d(max_pool2d(relu(h)), w2, {}, {.padding = 1})));
  sum(square(y)).backward();
  CHECK(w1.grad().defined());
  CHECK(reorder_count() == before);
}

TEST_CASE("conv2d of an empty batch") {
  const Variable x(zeros({0, 2, 4, 4}), true), w(ones({3, 2, 3, 3}), true), b(ones({3}), true);
  const Variable y = conv2d(x, w, b);
  CHECK(y.shape() == Shape{0, 3, 2, 2});
  sum(y).backward();
  CHECK(w.grad().tensor().to_vector<float>() == std::vector<float>(54, 0.0f));
  CHECK(b.grad().tensor().to_vector<float>() == std::vector<float>(3, 0.0f));
  CHECK(x.grad().shape() == x.shape());
}

TEST_CASE("conv2d names what does not fit") {
  const Tensor x = ones({1, 4, 5, 5}), w = ones({6, 4, 3, 3});
  CHECK_THROWS_WITH(conv2d(ones({4, 5, 5}), w),
                    Catch::Contains("[conv2d] expected x [N, C, H, W], got shape [4, 5, 5]"));
  CHECK_THROWS_WITH(conv2d(x, ones({6, 3, 3, 3})),
                    Catch::Contains("expected w [O, 4 / groups, kH, kW]") &&
                        Catch::Contains("got w [6, 3, 3, 3]"));
  CHECK_THROWS_WITH(conv2d(x, ones({3, 2, 3, 3}), {}, {.groups = 2}),
                    Catch::Contains("groups dividing O"));
  CHECK_THROWS_WITH(conv2d(x, w, ones({5})), Catch::Contains("expected b [6], got [5] f32 cpu"));
  CHECK_THROWS_WITH(conv2d(x, ones({6, 4, 7, 7})),
                    Catch::Contains("at least the kernel's extent 7, got 5 + 2 * 0"));
  CHECK_THROWS_WITH(conv2d(x, w, {}, {.stride = 0}), Catch::Contains("expected stride >= 1"));
  CHECK_THROWS_WITH(conv2d(x, w, {}, {.padding = -1}), Catch::Contains("expected padding >= 0"));
  CHECK_THROWS_WITH(conv2d(x, w, {}, {.dilation = {1, 0}}),
                    Catch::Contains("expected dilation >= 1, got (1, 0)"));
  CHECK_THROWS_WITH(conv2d(x, ones(w.shape(), DType::f64)),
                    Catch::Contains("expected w of dtype f32"));
  CHECK_THROWS_WITH(conv2d_backward_input(ones({1, 6, 5, 5}), w, x.shape()),
                    Catch::Contains("expected dy of shape [1, 6, 3, 3]"));
}

}  // namespace
}  // namespace athanor::test
