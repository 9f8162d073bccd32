#include <catch2/catch.hpp>

#include <array>

#include "autograd/ops.h"
#include "tensor/backend/cpu/matmul.h"
#include "tensor/base/parallel.h"
#include "tensor/ops/operand.h"
#include "tensor/random.h"
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
        Shapes{{2, 4, 3}, {4, 5}, true, false}, Shapes{{2, 1, 3, 4}, {4, 5}, false, false},
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

namespace {

// x y + bias by `run`; each is [2, ...] row-major, or with its last axes exchanged in memory.
Tensor by(void (*run)(const MatmulArgs&), const Tensor& x, const Tensor& y, const Tensor& bias) {
  Tensor z = empty({x.size(0), x.size(1), y.size(2)}, x.dtype());
  run({operand(x), operand(y), operand(z), bias.defined() ? operand(bias) : Operand{}});
  return z;
}

double largest_difference(const Tensor& a, const Tensor& b) {
  return amax(abs(sub(cast(a, DType::f64), cast(b, DType::f64)))).item();
}

}  // namespace

// ATHANOR_GEMM can force each; whatever the table takes, all of them stay right.
TEST_CASE("every way to multiply agrees with the reference") {
  matmul(ones({1, 1}), ones({1, 1}));  // makes the backend table, which sets own_matmul
  Generator generator(7);
  const std::array<std::int64_t, 3> sizes[] = {{1, 1, 1},
                                               {7, 17, 5},
                                               {128, 33, 70},
                                               {5, 600, 301},
                                               {97, 1, 1100},
                                               {1, 9, 4},
                                               {200, 96, 513},
                                               {64, 1024, 64},
                                               // Packed in parts; b in place under few rows.
                                               {40, 1300, 500},
                                               {13, 1433, 700},
                                               {20, 700, 1300},
                                               {31, 65, 130},
                                               {900, 10, 700}};
  for (const auto& [M, N, K] : sizes) {
    for (int form = 0; form < 8; ++form) {
      INFO("M, N, K " << M << ' ' << N << ' ' << K << " form " << form);
      const auto draw = [&](std::int64_t rows, std::int64_t columns, bool exchanged) {
        if (!exchanged) return random_uniform({2, rows, columns}, generator, -1, 1);
        return transpose(random_uniform({2, columns, rows}, generator, -1, 1));
      };
      const Tensor x = draw(M, K, form & 1), y = draw(K, N, form & 2);
      const Tensor bias = form & 4 ? random_uniform({N}, generator, -1, 1) : Tensor();
      const Tensor expected = by(reference_kernels().matmul.run, x, y, bias);
      // K products of at most 1 in f32: errors of about K 6e-8 at worst, from both.
      const double limit = 1e-6 + 1.2e-7 * static_cast<double>(K);
      CHECK(largest_difference(by(cpu::own_matmul, x, y, bias), expected) <= limit);
      for (const DType low : {DType::f16, DType::bf16}) {
        INFO(name_of(low));
        const auto narrow = [&](const Tensor& t) { return t.defined() ? cast(t, low) : t; };
        const auto wide = [&](const Tensor& t) { return t.defined() ? cast(t, DType::f32) : t; };
        const Tensor a = narrow(x), b = narrow(y), c = narrow(bias);
        const Tensor exact = by(reference_kernels().matmul.run, wide(a), wide(b), wide(c));
        const Tensor got = cast(by(cpu::own_matmul, a, b, c), DType::f32);
        // Rounded once, from 8 or 11 significant bits.
        const double half = low == DType::bf16 ? 0x1p-8 : 0x1p-11;
        const Tensor beyond = sub(abs(sub(got, exact)), mul(abs(exact), half));
        CHECK(amax(beyond).item() <= limit);
      }
      if (!cpu::has_math_libraries()) continue;
      CHECK(largest_difference(by(cpu::openblas_matmul, x, y, bias), expected) <= limit);
      CHECK(largest_difference(by(cpu::onednn_matmul, x, y, bias), expected) <= limit);
    }
  }
}

TEST_CASE("the own product and OpenBLAS in tiles have the same bits at every thread count") {
  matmul(ones({1, 1}), ones({1, 1}));  // sets own_matmul
  Generator generator(8);
  const Tensor x = random_uniform({2, 301, 517}, generator, -1, 1);
  const Tensor y = random_uniform({2, 517, 190}, generator, -1, 1);
  const int before = num_threads();
  for (const auto run : {cpu::own_matmul, &cpu::openblas_matmul}) {
    if (run == &cpu::openblas_matmul && !cpu::has_math_libraries()) continue;
    set_num_threads(1);
    const Tensor one = by(run, x, y, {});
    for (int threads : {2, 4}) {
      set_num_threads(threads);
      CHECK(by(run, x, y, {}).to_vector<float>() == one.to_vector<float>());
    }
  }
  set_num_threads(before);
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
