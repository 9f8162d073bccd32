#include "autograd/anomaly.h"

#include <catch2/catch.hpp>
#include <limits>

#include "autograd/node.h"
#include "autograd/ops.h"

using namespace athanor;
using Catch::Contains;

TEST_CASE("anomaly mode names the operation that made the first NaN of the forward pass") {
  const Variable x(from_values<float>({1, -1}, {2}), true);
  const auto run = [&] { return sum(exp(log(x) * 2.0)); };
  CHECK(std::isnan(run().item()));
  const DetectAnomaly detect;
  CHECK_THROWS_WITH(run(), Contains("[anomaly] log made the first NaN: its result ([2] f32 cpu)"));
  const Variable bad(from_values<float>({1, NAN}, {2}), true);
  CHECK_THROWS_WITH(bad * 2.0, Contains("mul") && Contains("its input 0") &&
                                   Contains("came into the computation from outside"));
}

TEST_CASE("anomaly mode lets infinities of masks pass") {
  const Variable x(ones({2}), true);
  const Tensor mask = from_values<bool>({true, false}, {2});
  const DetectAnomaly detect;
  const float inf = std::numeric_limits<float>::infinity();
  CHECK_NOTHROW(sum(softmax(masked_fill(x, mask, -inf))).backward());
}

TEST_CASE("anomaly mode names the operation whose gradient is not finite, and its inputs") {
  const Variable x(zeros({2}), true);
  const Variable y = sum(sqrt(x * x));  // the derivative of sqrt at 0 is infinite
  const DetectAnomaly detect;
  CHECK_THROWS_WITH(y.backward(), Contains("the gradient of sqrt for its input 0") &&
                                      Contains("has NaN or Inf") &&
                                      Contains("input 0 [2] f32 made by mul"));
}

TEST_CASE("anomaly mode ends with its object") {
  const Variable x(full({2}, -1), true);
  { const DetectAnomaly detect; }
  CHECK_NOTHROW(log(x));
}
