#include <catch2/catch.hpp>

#include "autograd/ops.h"
#include "tests/ops/op_case.h"

using namespace athanor;
using athanor::test::check_op_case;
using athanor::test::OpCase;

namespace {

Variable product(const std::vector<Variable>& x) { return matmul(x[0], x[1]); }
Variable layer(const std::vector<Variable>& x) { return linear(x[0], x[1], x[2]); }

}  // namespace

TEST_CASE("matmul: values and gradients") {
  check_op_case({"matmul", {{{3, 4}}, {{4, 5}}}, product});
  check_op_case({"matmul/vector_matrix", {{{4}}, {{4, 5}}}, product});
  check_op_case({"matmul/matrix_vector", {{{3, 4}}, {{4}}}, product});
  check_op_case({"matmul/vectors", {{{4}}, {{4}}}, product});
  check_op_case({"matmul/batched", {{{2, 3, 4}}, {{2, 4, 2}}}, product});
  check_op_case({"matmul/broadcast", {{{2, 1, 3, 4}}, {{3, 4, 2}}}, product});
  check_op_case({"matmul/row", {{{1, 4}}, {{4, 1}}}, product});
  check_op_case({"matmul/empty", {{{0, 4}}, {{4, 2}}}, product});
  check_op_case({"matmul/transposed", {{{4, 3}}, {{5, 4}}}, [](const std::vector<Variable>& x) {
                   return matmul(transpose(x[0]), transpose(x[1]));
                 }});
}

TEST_CASE("matmul: batched operands, transposed and broadcast in every way") {
  struct Shapes {
    Shape a, b;
    bool transpose_a, transpose_b;
  };
  for (const Shapes& s :
       {Shapes{{2, 4, 3}, {2, 4, 5}, true, false}, Shapes{{2, 3, 4}, {2, 5, 4}, false, true},
        Shapes{{2, 4, 3}, {2, 5, 4}, true, true}, Shapes{{2, 3, 4}, {5, 4}, false, true},
        Shapes{{4, 3}, {2, 4, 5}, true, false}, Shapes{{2, 1, 3, 4}, {1, 3, 5, 4}, false, true},
        Shapes{{3, 1, 2, 4}, {4}, false, false}, Shapes{{4}, {2, 4, 3}, false, false}}) {
    OpCase c{"matmul/batched transposed", {{s.a}, {s.b}}, [=](const std::vector<Variable>& x) {
               return matmul(s.transpose_a ? transpose(x[0]) : x[0],
                             s.transpose_b ? transpose(x[1]) : x[1]);
             }};
    check_op_case(c);
  }
  OpCase edges{"matmul/edges", {{{3, 4}}, {{4, 5}}}, product};
  edges.edges = {{{3, 0}, {0, 5}},
                 {{0, 4}, {4, 5}},
                 {{3, 4}, {4, 0}},
                 {{0, 3, 4}, {4, 5}},
                 {{2, 3, 0}, {2, 0, 5}}};
  check_op_case(edges);
}

TEST_CASE("matmul: shapes that are cut into tiles") {
  for (const auto& [m, k, n] :
       {std::array<std::int64_t, 3>{257, 129, 65}, {64, 300, 513}, {1, 2000, 700}, {1000, 33, 1}}) {
    OpCase c{str("matmul/tiles ", m, "x", k, "x", n), {{{m, k}}, {{k, n}}}, product};
    c.numeric = false;
    check_op_case(c);
  }
  OpCase batched{"matmul/many", {{{37, 19, 23}}, {{37, 23, 11}}}, product};
  batched.numeric = false;
  check_op_case(batched);
}

TEST_CASE("matmul over an empty inner axis is zero") {
  const Tensor c = matmul(empty({2, 0}), empty({0, 3}));
  CHECK(c.to_vector<float>() == std::vector<float>(6, 0.0f));
}

TEST_CASE("linear: values and gradients") {
  check_op_case({"linear", {{{3, 4}}, {{5, 4}}, {{5}}}, layer});
  check_op_case({"linear/batched", {{{2, 3, 4}}, {{5, 4}}, {{5}}}, layer});
  check_op_case({"linear/no_bias", {{{3, 4}}, {{5, 4}}}, [](const std::vector<Variable>& x) {
                   return linear(x[0], x[1]);
                 }});
}

TEST_CASE("matmul refuses shapes and dtypes, naming both operands") {
  CHECK_THROWS_WITH(matmul(ones({2, 3}), ones({4, 5})),
                    Catch::Contains("[matmul] expected inner sizes to agree") &&
                        Catch::Contains("[2, 3] f32 cpu") && Catch::Contains("[4, 5] f32 cpu"));
  CHECK_THROWS_WITH(matmul(ones({2, 3}), ones({3, 2}, DType::f64)), Catch::Contains("one dtype"));
  CHECK_THROWS_WITH(matmul(ones({}), ones({2})), Catch::Contains("rank >= 1"));
  CHECK_THROWS_WITH(linear(ones({2, 3}), ones({4, 3}), ones({3})), Catch::Contains("bias [4]"));
}
