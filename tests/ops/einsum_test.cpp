#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "tests/ops/op_case.h"

using namespace athanor;
using athanor::test::check_op_case;
using athanor::test::OpCase;
using Tensors = std::vector<Tensor>;
using Vars = std::vector<Variable>;

namespace {

// The definition for letters only and an explicit output: a loop over all indices at once.
Tensor by_definition(const std::string& equation, const std::vector<Tensor>& operands) {
  const std::size_t arrow = equation.find("->");
  std::vector<std::string> terms{""};
  for (char c : equation.substr(0, arrow)) {
    if (c == ',') {
      terms.emplace_back();
    } else {
      terms.back().push_back(c);
    }
  }
  const std::string output = equation.substr(arrow + 2);
  std::string letters;
  Shape sizes;
  for (std::size_t t = 0; t < terms.size(); ++t) {
    for (std::size_t i = 0; i < terms[t].size(); ++i) {
      if (letters.find(terms[t][i]) != std::string::npos) continue;
      letters.push_back(terms[t][i]);
      sizes.push_back(operands[t].size(static_cast<int>(i)));
    }
  }
  std::vector<std::int64_t> index(letters.size(), 0);
  const auto offset = [&](const std::string& term, const Shape& shape) {
    std::int64_t at = 0;
    for (std::size_t i = 0; i < term.size(); ++i) {
      at = at * shape[static_cast<int>(i)] + index[letters.find(term[i])];
    }
    return static_cast<std::size_t>(at);
  };
  Shape shape;
  for (char c : output) shape.push_back(sizes[static_cast<int>(letters.find(c))]);
  std::vector<double> sums(static_cast<std::size_t>(numel_of(shape)), 0.0);
  std::vector<std::vector<double>> values;
  for (const Tensor& operand : operands) values.push_back(operand.to_vector<double>());
  for (std::int64_t step = 0; step < numel_of(sizes); ++step) {
    std::int64_t rest = step;
    for (std::size_t i = letters.size(); i-- > 0;) {
      index[i] = rest % sizes[static_cast<int>(i)];
      rest /= sizes[static_cast<int>(i)];
    }
    double product = 1;
    for (std::size_t t = 0; t < terms.size(); ++t) {
      product *= values[t][offset(terms[t], operands[t].shape())];
    }
    sums[offset(output, shape)] += product;
  }
  return from_values(sums, shape);
}

OpCase case_of(const std::string& equation, const std::vector<Shape>& shapes) {
  OpCase c{"einsum/" + equation, {}, [equation](const Vars& x) { return einsum(equation, x); }};
  for (const Shape& shape : shapes) c.inputs.push_back({shape, 0.5, 1.5});
  return c;
}

}  // namespace

TEST_CASE("einsum agrees with its definition") {
  struct Example {
    const char* equation;
    std::vector<Shape> shapes;
  };
  for (const Example& e : std::vector<Example>{
           {"ij,jk->ik", {{2, 3}, {3, 4}}},
           {"ij,kj->ik", {{2, 3}, {4, 3}}},
           {"ji,kj->ki", {{3, 2}, {4, 3}}},
           {"bij,bjk->bik", {{2, 2, 3}, {2, 3, 2}}},
           {"bhqd,bhkd->bhqk", {{2, 2, 3, 2}, {2, 2, 2, 2}}},
           {"ij->ji", {{2, 3}}},
           {"ijk->k", {{2, 3, 2}}},
           {"ij->", {{2, 3}}},
           {"ii->i", {{3, 3}}},
           {"ii->", {{3, 3}}},
           {"iij->j", {{3, 3, 2}}},
           {"biji->bj", {{2, 3, 2, 3}}},
           {"iii->i", {{2, 2, 2}}},
           {"i,i->i", {{4}, {4}}},
           {"i,i->", {{4}, {4}}},
           {"i,j->ij", {{3}, {4}}},
           {"i,j->", {{3}, {4}}},
           {"i,j->ji", {{3}, {4}}},
           {"ij,jk,kl->il", {{2, 3}, {3, 2}, {2, 3}}},
           {"i,ij,j->", {{3}, {3, 4}, {4}}},
           {"abc,cd,de->abe", {{2, 2, 3}, {3, 2}, {2, 2}}},
           {"ij,jm->im", {{2, 0}, {0, 3}}},
           {"ab,cd->acbd", {{2, 2}, {2, 3}}},
           {",i->i", {{}, {3}}},
       }) {
    INFO(e.equation);
    std::vector<Tensor> operands;
    Generator generator(3);
    for (const Shape& shape : e.shapes) {
      operands.push_back(random_uniform(shape, generator, 0.5, 1.5, DType::f64));
    }
    const Tensor expected = by_definition(e.equation, operands), got = einsum(e.equation, operands);
    REQUIRE(got.shape() == expected.shape());
    const auto left = got.to_vector<double>(), right = expected.to_vector<double>();
    for (std::size_t i = 0; i < left.size(); ++i) CHECK(left[i] == Approx(right[i]).epsilon(1e-12));
    if (got.numel() > 0) check_op_case(case_of(e.equation, e.shapes));
  }
}

TEST_CASE("einsum: '...', spaces and outputs that are not given") {
  check_op_case(case_of("...ij,...jk->...ik", {{2, 1, 2, 3}, {4, 3, 2}}));
  check_op_case(case_of("b...i,ij->b...j", {{2, 2, 2, 3}, {3, 2}}));
  check_op_case(case_of("...i,...i->...", {{2, 3}, {1, 3}}));
  check_op_case(case_of("...->...", {{2, 3}}));
  Generator generator(4);
  const Tensor a = random_uniform({2, 1, 2, 3}, generator, 0, 1, DType::f64);
  const Tensor b = random_uniform({4, 3, 2}, generator, 0, 1, DType::f64);
  const Tensor product = matmul(a, b);
  for (const char* equation : {"...ij,...jk->...ik", "...ij,...jk", " ... i j , ...jk -> ...ik"}) {
    const Tensor c = einsum(equation, Tensors{a, b});
    REQUIRE(c.shape() == Shape{2, 4, 2, 2});
    CHECK(amax(abs(c - product)).item() < 1e-14);  // sums of three products below 1
  }
  // Letters once, in alphabetical order.
  const Tensor x = reshape(arange(6, DType::f64), {2, 3});
  CHECK(einsum("ba", Tensors{x}).to_vector<double>() == std::vector<double>{0, 3, 1, 4, 2, 5});
  CHECK(einsum("ii", Tensors{eye(3)}).item() == 3);
  CHECK(einsum("ij,ij", Tensors{x, x}).item() == 55);
  CHECK(einsum("i...->...", Tensors{x}).to_vector<double>() == std::vector<double>{3, 5, 7});
  CHECK(einsum("...,...", Tensors{scalar(2), scalar(3)}).item() == 6);
}

TEST_CASE("einsum at sizes that are cut into tiles") {
  OpCase c = case_of("bhqd,bhkd->bhqk", {{2, 3, 65, 33}, {2, 3, 70, 33}});
  c.numeric = false;
  check_op_case(c);
}

TEST_CASE("einsum refuses equations that are malformed or do not fit") {
  const Tensor x = ones({2, 3}), y = ones({3, 4});
  const auto refuses = [&](const char* equation, const std::vector<Tensor>& operands,
                           const char* text) {
    INFO(equation);
    CHECK_THROWS_WITH(einsum(equation, operands), Catch::Contains("[einsum] " + std::string(text)));
  };
  refuses("ij,jk->ik", {x}, "expected 2 operands for 'ij,jk->ik', got 1");
  refuses("ij,jk->ik", {x, y, y}, "expected 2 operands");
  refuses("", {}, "expected 1 operands");
  refuses("i1->i", {x}, "expected letters, ',', '...' or one '->' at position 1 of 'i1->i'");
  refuses("ij->i->j", {x}, "expected letters");
  refuses("ij-i", {x}, "expected letters");
  refuses("i.j->i", {x}, "expected letters");
  refuses("ij->i,j", {x}, "expected letters");
  refuses("......ij->ij", {x}, "expected one '...' a term");
  refuses("ij->ii", {x}, "expected each letter once in the output at position 5");
  refuses("ij->ik", {x}, "expected output axes that an operand has, got 'k'");
  refuses("ijk->i", {x}, "expected 3 axes for operand 0");
  refuses("i->i", {x}, "expected 1 axes for operand 0");
  refuses("ijk...->i", {x}, "expected 3 axes or more for operand 0");
  refuses("ij,kj->ik", {x, y}, "expected size 3 for axis 'j' as before, got 4");
  refuses("ii->i", {x}, "expected size 2 for axis 'i' as before, got 3");
  refuses("...i,...j->...", {x, y}, "expected size 2 for an axis of '...' as before, got 3");
  refuses("...i->i", {x}, "expected '...' in the output");
  refuses("ij->ij", {arange(2)}, "expected a floating dtype");
  refuses("ij,jk->ik", {x, cast(y, DType::f64)}, "expected the first operand's dtype");
  CHECK_THROWS_WITH(einsum("i->i", Vars{Variable()}), Catch::Contains("undefined"));
}
