#include <catch2/catch.hpp>

#include "autograd/ops.h"
#include "tests/ops/op_case.h"

namespace athanor::test {
namespace {

using Vars = std::vector<Variable>;

TEST_CASE("pooling of sequences and its gradients") {
  for (const Pool1dOptions& options :
       {Pool1dOptions{2, 0, 0}, Pool1dOptions{3, 2, 1}, Pool1dOptions{2, 3, 0}}) {
    check_op_case(
        {"max_pool1d", {{{2, 3, 8}}}, [=](const Vars& v) { return max_pool1d(v[0], options); }});
    check_op_case(
        {"avg_pool1d", {{{2, 3, 8}}}, [=](const Vars& v) { return avg_pool1d(v[0], options); }});
  }
  for (const std::int64_t size : {1, 3, 4, 11}) {
    check_op_case({"adaptive_avg_pool1d", {{{2, 3, 8}}}, [=](const Vars& v) {
                     return adaptive_avg_pool1d(v[0], size);
                   }});
    check_op_case({"adaptive_max_pool1d", {{{2, 3, 8}}}, [=](const Vars& v) {
                     return adaptive_max_pool1d(v[0], size);
                   }});
  }
}

TEST_CASE("pooling of sequences at known values") {
  const Tensor x = from_values<double>({1, 5, 2, 4, 3}, {1, 1, 5});
  CHECK(max_pool1d(x).tensor().to_vector<double>() == std::vector<double>{5, 4});
  CHECK(avg_pool1d(x).tensor().to_vector<double>() == std::vector<double>{3, 3});
  // Windows [0, 3) and [2, 5).
  CHECK(adaptive_max_pool1d(x, 2).tensor().to_vector<double>() == std::vector<double>{5, 4});
  CHECK(adaptive_avg_pool1d(x, 2).tensor().to_vector<double>()[0] == Approx(8.0 / 3));
}

TEST_CASE("pooling of sequences names what does not fit") {
  CHECK_THROWS_WITH(max_pool1d(ones({3, 4})),
                    Catch::Contains("[max_pool1d] expected x [N, C, L], got [3, 4] f32"));
  CHECK_THROWS_WITH(avg_pool1d(ones({1, 3, 4}), {.kernel = 5}), Catch::Contains("got (1, 4)"));
  CHECK_THROWS_WITH(adaptive_avg_pool1d(ones({1, 3, 4}), 0), Catch::Contains("a size >= 1"));
  CHECK_THROWS_WITH(adaptive_max_pool1d(ones({4}), 1), Catch::Contains("[adaptive_max_pool1d]"));
}

}  // namespace
}  // namespace athanor::test
