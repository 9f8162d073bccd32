// Convolutions with set_winograd(true): their error, where they apply, and what must not change.
#include <catch2/catch.hpp>
#include <cmath>

#include "tensor/base/parallel.h"
#include "tensor/ops.h"
#include "tensor/random.h"

namespace athanor::test {
namespace {

bool same(const Tensor& a, const Tensor& b) { return all(equal(a, b)).item() == 1; }

struct Shapes {
  Shape x, w;
  std::int64_t padding;
};
// Odd and even sizes, one tile, tiles of several images in one group, channels beside whole strips.
const std::vector<Shapes> kShapes{
    {{1, 16, 3, 3}, {16, 16, 3, 3}, 0},    {{1, 16, 2, 2}, {16, 16, 3, 3}, 1},
    {{2, 16, 9, 11}, {17, 16, 3, 3}, 1},   {{3, 32, 14, 14}, {64, 32, 3, 3}, 1},
    {{2, 48, 8, 7}, {20, 48, 3, 3}, 2},    {{7, 16, 4, 4}, {40, 16, 3, 3}, 1},
    {{1, 256, 12, 12}, {32, 256, 3, 3}, 1}};

// The largest of |y - exact| / sum |x| |w|, whose denominator bounds what rounding can do.
double error_of(const Tensor& y, const Tensor& x, const Tensor& w, const Tensor& b,
                const Conv2dOptions& options) {
  const auto wide = [](const Tensor& t) { return cast(t, DType::f64); };
  const Tensor exact = conv2d(wide(x), wide(w), wide(b), options);
  const Tensor scale = conv2d(abs(wide(x)), abs(wide(w)), abs(wide(b)), options);
  return amax(div(abs(sub(wide(y), exact)), scale)).item();
}

TEST_CASE("Winograd convolutions are within 5e-7 of the sum of magnitudes, as direct ones are") {
  Generator g(31);
  for (const Shapes& s : kShapes) {
    const Tensor x = random_normal(s.x, g), w = random_normal(s.w, g);
    const Tensor b = random_normal({s.w[0]}, g);
    const Conv2dOptions options{.padding = s.padding};
    const Tensor direct = conv2d(x, w, b, options);
    CHECK(error_of(direct, x, w, b, options) <= 5e-7);
    const UseWinograd on;
    const Tensor y = conv2d(x, w, b, options);
    CAPTURE(s.x, s.w);
    REQUIRE(y.shape() == direct.shape());
    CHECK(y.is_channels_last());
    CHECK(error_of(y, x, w, b, options) <= 5e-7);
    CHECK_FALSE(same(y, direct));  // another algorithm, other rounding
  }
}

TEST_CASE("Winograd convolutions without a bias, with ReLU and pooling") {
  Generator g(32);
  const Tensor x = random_normal({5, 16, 10, 14}, g), w = random_normal({37, 16, 3, 3}, g);
  const Tensor b = random_normal({37}, g);
  const UseWinograd on;
  const Tensor plain = conv2d(x, w, b, {.padding = 1});
  const Tensor rectified = conv2d(x, w, b, {.padding = 1, .relu = true});
  CHECK(same(rectified, relu(plain)));
  CHECK(same(conv2d_max_pool2d(x, w, b, {.padding = 1}), max_pool2d(plain)));
  CHECK(same(conv2d_max_pool2d(x, w, b, {.padding = 1, .relu = true}), max_pool2d(rectified)));
  CHECK(same(conv2d(x, w, {}, {.padding = 1}), conv2d(x, w, zeros({37}), {.padding = 1})));
  CHECK(conv2d(zeros({0, 16, 4, 4}), w, b, {.padding = 1}).shape() == Shape{0, 37, 4, 4});
}

TEST_CASE("Winograd convolutions have the same bits at every number of threads") {
  Generator g(33);
  const Tensor x = random_normal({9, 32, 15, 13}, g), w = random_normal({48, 32, 3, 3}, g);
  const UseWinograd on;
  const int before = num_threads();
  set_num_threads(1);
  const Tensor one = conv2d(x, w, {}, {.padding = 1});
  for (const int threads : {2, 4}) {
    set_num_threads(threads);
    CHECK(same(conv2d(x, w, {}, {.padding = 1}), one));
  }
  set_num_threads(before);
}

TEST_CASE("what Winograd's filtering does not serve keeps its bits, and so do gradients") {
  Generator g(34);
  const auto unchanged = [&](const Shape& xs, const Shape& ws, const Conv2dOptions& options,
                             DType dtype = DType::f32) {
    const Tensor x = cast(random_normal(xs, g), dtype), w = cast(random_normal(ws, g), dtype);
    const Tensor direct = conv2d(x, w, {}, options);
    const UseWinograd on;
    CHECK(same(conv2d(x, w, {}, options), direct));
  };
  unchanged({1, 8, 6, 6}, {16, 8, 3, 3}, {.padding = 1});     // channels in
  unchanged({1, 24, 6, 6}, {16, 24, 3, 3}, {.padding = 1});   // not a multiple of 16
  unchanged({1, 16, 6, 6}, {8, 16, 3, 3}, {.padding = 1});    // channels out
  unchanged({1, 16, 6, 6}, {16, 16, 5, 5}, {.padding = 2});   // kernel
  unchanged({1, 16, 6, 6}, {16, 16, 3, 3}, {.stride = 2});    // stride
  unchanged({1, 16, 9, 9}, {16, 16, 3, 3}, {.dilation = 2});  // dilation
  unchanged({1, 32, 6, 6}, {32, 16, 3, 3}, {.groups = 2});    // groups
  unchanged({1, 16, 6, 6}, {16, 16, 3, 3}, {.padding = 1}, DType::f64);
  const Tensor x = random_normal({2, 16, 6, 6}, g), w = random_normal({16, 16, 3, 3}, g);
  const Tensor dy = random_normal({2, 16, 6, 6}, g);
  const Tensor dx = conv2d_backward_input(dy, w, x.shape(), {.padding = 1});
  const UseWinograd on;
  CHECK(same(conv2d_backward_input(dy, w, x.shape(), {.padding = 1}), dx));
}

TEST_CASE("a NaN reaches the results of its tile through Winograd's filtering, and no others") {
  Tensor x = ones({1, 16, 8, 8});
  x.data<float>()[0] = std::nanf("");  // pixel (0, 0) of channel 0
  const Tensor w = ones({16, 16, 3, 3});
  const UseWinograd on;
  const Tensor y = conv2d(x, w, {}, {.padding = 1});
  const std::vector<float> first = slice(y, 1, 0, 1).to_vector<float>();
  CHECK(std::isnan(first[0]));
  CHECK(std::isnan(first[9]));  // (1, 1) sees it too
  CHECK(first[63] == 64);       // a corner: 4 of 9 taps
  CHECK(first[27] == 144);
}

}  // namespace
}  // namespace athanor::test
