#include <catch2/catch.hpp>

#include "autograd/ops.h"
#include "tests/ops/op_case.h"

namespace athanor::test {
namespace {

using Vars = std::vector<Variable>;

TEST_CASE("upsample and its gradients") {
  for (const Size2 size : {Size2(6, 4), Size2(5, 7), Size2(2, 1)}) {
    check_op_case({"upsample_nearest2d", {{{2, 2, 3, 4}}}, [=](const Vars& v) {
                     return upsample_nearest2d(v[0], size);
                   }});
    for (const bool corners : {false, true}) {
      check_op_case({"upsample_bilinear2d", {{{2, 2, 3, 4}}}, [=](const Vars& v) {
                       return upsample_bilinear2d(v[0], size, corners);
                     }});
    }
  }
}

TEST_CASE("upsample at known values") {
  const Tensor x = from_values<double>({1, 2, 3, 4}, {1, 1, 2, 2});
  CHECK(upsample_nearest2d(x, {2, 4}).tensor().to_vector<double>() ==
        std::vector<double>{1, 1, 2, 2, 3, 3, 4, 4});
  CHECK(upsample_bilinear2d(x, {2, 4}).tensor().to_vector<double>() ==
        std::vector<double>{1, 1.25, 1.75, 2, 3, 3.25, 3.75, 4});
  CHECK(upsample_bilinear2d(x, {3, 3}, true).tensor().to_vector<double>() ==
        std::vector<double>{1, 1.5, 2, 2, 2.5, 3, 3, 3.5, 4});
  CHECK(upsample_nearest2d(ones({2, 3, 4, 5}), 8).tensor().is_channels_last());
}

TEST_CASE("upsample names what does not fit") {
  CHECK_THROWS_WITH(upsample_nearest2d(ones({3, 4}), 2),
                    Catch::Contains("[upsample_nearest2d] expected a floating x [N, C, H, W]"));
  CHECK_THROWS_WITH(upsample_bilinear2d(ones({1, 1, 3, 4}), {0, 2}),
                    Catch::Contains("expected a size >= 1, got (0, 2)"));
}

}  // namespace
}  // namespace athanor::test
