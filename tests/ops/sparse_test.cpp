#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "tests/ops/op_case.h"

using namespace athanor;
using athanor::test::beside;
using athanor::test::check_op_case;
using athanor::test::OpCase;
using Vars = std::vector<Variable>;

namespace {

Tensor integers(const std::vector<std::int64_t>& values) {
  return from_values(values, {static_cast<std::int64_t>(values.size())});
}

// The same pattern beside the values.
SparsePattern on_device_of(const Variable& x, const SparsePattern& p) {
  return SparsePattern(beside(x, p.row()), beside(x, p.column()), p.rows(), p.columns());
}

// The dense matrix of a pattern's values.
Variable dense(const SparsePattern& pattern, const Variable& values) {
  const std::int64_t M = pattern.rows(), N = pattern.columns();
  const Tensor at = add(mul(pattern.row(), full({}, double(N), DType::i64)), pattern.column());
  return reshape(index_add(values, 0, at, M * N), {M, N});
}

}  // namespace

TEST_CASE("sparse_matmul and sparse_dot: values and gradients") {
  // Row 1 and column 3 are empty; the place (2, 0) occurs twice.
  const SparsePattern pattern(integers({2, 0, 3, 2, 0, 2}), integers({0, 1, 4, 2, 0, 0}), 4, 5);
  OpCase product{"sparse_matmul", {{{6}}, {{5, 3}}}, [=](const Vars& x) {
                   return sparse_matmul(on_device_of(x[0], pattern), x[0], x[1]);
                 }};
  product.edges = {{{6}, {5}}, {{6}, {5, 0}}, {{6}, {5, 2, 2}}};
  check_op_case(product);
  check_op_case({"sparse_matmul/ones", {{{5, 3}}}, [=](const Vars& x) {
                   return sparse_matmul(on_device_of(x[0], pattern), {}, x[0]);
                 }});
  OpCase dot{"sparse_dot", {{{4, 3}}, {{5, 3}}}, [=](const Vars& x) {
               return sparse_dot(on_device_of(x[0], pattern), x[0], x[1]);
             }};
  dot.edges = {{{4}, {5}}, {{4, 0}, {5, 0}}, {{4, 2, 2}, {5, 2, 2}}};
  check_op_case(dot);
}

TEST_CASE("sparse products agree with dense ones") {
  Generator generator(23);
  const std::int64_t M = 90, N = 70, n = 800;
  std::vector<std::int64_t> row, column;
  for (std::int64_t i = 0; i < n; ++i) {
    row.push_back(generator.next_below(M));
    column.push_back(generator.next_below(N));
  }
  const SparsePattern pattern(integers(row), integers(column), M, N);
  const Variable values(random_normal({n}, generator, 0, 1, DType::f64), true);
  const Variable x(random_normal({N, 33}, generator, 0, 1, DType::f64), true);
  const Variable a(random_normal({M, 33}, generator, 0, 1, DType::f64), true);
  const auto near = [](const Variable& left, const Variable& right) {
    const Tensor difference = abs(sub(left.tensor(), right.tensor()));
    CHECK(amax(difference).item() < 1e-11);  // sums of tens of products near 1
  };
  const Variable sparse = sparse_matmul(pattern, values, x);
  const Variable full = matmul(dense(pattern, values), x);
  near(sparse, full);
  const std::vector<Variable> left = grad({sum(sparse * a)}, {values, x, a}, false);
  const std::vector<Variable> right = grad({sum(full * a)}, {values, x, a}, false);
  for (std::size_t i = 0; i < 3; ++i) near(left[i], right[i]);
  near(sparse_matmul(pattern.transposed(), values, a),
       matmul(transpose(dense(pattern, values)), a));
  const Variable all = matmul(a, transpose(x));
  const Tensor at =
      add(mul(pattern.row(), athanor::full({}, double(N), DType::i64)), pattern.column());
  near(sparse_dot(pattern, a, x), index_select(reshape(all, {M * N}), 0, at));
}

TEST_CASE("sparse products for several threads") {
  Generator generator(29);
  std::vector<std::int64_t> row, column;
  for (std::int64_t i = 0; i < 20000; ++i) {
    // Most edges lead to few rows, as in a graph with hubs.
    const double u = generator.next_uniform();
    row.push_back(static_cast<std::int64_t>(u * u * u * 3000));
    column.push_back(generator.next_below(2500));
  }
  const SparsePattern pattern(integers(row), integers(column), 3000, 2500);
  OpCase c{"sparse_matmul/large", {{{20000}}, {{2500, 19}}}, [=](const Vars& x) {
             return sparse_matmul(on_device_of(x[0], pattern), x[0], x[1]);
           }};
  c.numeric = false;
  check_op_case(c);
  OpCase d{"sparse_dot/large", {{{3000, 19}}, {{2500, 19}}}, [=](const Vars& x) {
             return sparse_dot(on_device_of(x[0], pattern), x[0], x[1]);
           }};
  d.numeric = false;
  check_op_case(d);
}

TEST_CASE("patterns from compressed rows, at known values") {
  const SparsePattern pattern =
      SparsePattern::from_csr(integers({0, 2, 2, 3}), integers({1, 0, 1}), 2);
  CHECK(pattern.row().to_vector<std::int64_t>() == std::vector<std::int64_t>{0, 0, 2});
  const Tensor values = from_values<float>({2, 3, 4}, {3});
  const Tensor x = from_values<float>({1, 10}, {2});
  CHECK(sparse_matmul(pattern, values, x).to_vector<float>() == std::vector<float>{23, 0, 40});
  CHECK(sparse_matmul(pattern, {}, x).to_vector<float>() == std::vector<float>{11, 0, 10});
  const SparsePattern nothing(integers({}), integers({}), 2, 3);
  CHECK(sparse_matmul(nothing, zeros({0}), ones({3, 2})).to_vector<float>() ==
        std::vector<float>(4, 0));
  CHECK(sparse_dot(nothing, ones({2, 4}), ones({3, 4})).shape() == Shape{0});
}

TEST_CASE("sparse products refuse what does not fit") {
  const auto pattern = [](std::initializer_list<std::int64_t> row,
                          std::initializer_list<std::int64_t> column) {
    return SparsePattern(integers(row), integers(column), 2, 3);
  };
  CHECK_THROWS_WITH(pattern({0, 2}, {0, 0}), Catch::Contains("in [0, 2), got 2 at position 1"));
  CHECK_THROWS_WITH(pattern({0}, {-1}), Catch::Contains("in [0, 3), got -1"));
  CHECK_THROWS_WITH(pattern({0}, {1, 1}), Catch::Contains("[sparse] expected as many rows"));
  const auto csr = [](std::initializer_list<std::int64_t> offsets) {
    return SparsePattern::from_csr(integers(offsets), integers({0, 1}), 2);
  };
  CHECK_THROWS_WITH(csr({0, 2, 1, 2}), Catch::Contains("offsets from 0 to 2 that do not descend"));
  CHECK_THROWS_WITH(csr({0, 1}), Catch::Contains("from 0 to 1"));
  CHECK_THROWS_WITH(csr({}), Catch::Contains("expected offsets [rows + 1]"));
  const SparsePattern good = pattern({0, 1}, {2, 0});
  CHECK_THROWS_WITH(sparse_matmul(good, ones({2}), ones({2, 2})), Catch::Contains("x [3, ...]"));
  CHECK_THROWS_WITH(sparse_matmul(good, ones({3}), ones({3})), Catch::Contains("values [2]"));
  CHECK_THROWS_WITH(sparse_matmul(good, ones({2}, DType::f64), ones({3})),
                    Catch::Contains("expected x's dtype for values"));
  CHECK_THROWS_WITH(sparse_dot(good, ones({2, 4}), ones({3, 5})),
                    Catch::Contains("equal but for the rows"));
}
