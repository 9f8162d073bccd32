// The promotion rules as docs/dtypes.md states them: its table is read and compared.
#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <sstream>

#include "tensor/ops.h"

using namespace athanor;
using Catch::Contains;

namespace {

const DType kTypes[] = {DType::f32, DType::f64, DType::f16, DType::bf16,   DType::i8,
                        DType::u8,  DType::i32, DType::i64, DType::boolean};

// The cells of a Markdown table's row, without spaces and asterisks.
std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream in(line.substr(1));
  for (std::string cell; std::getline(in, cell, '|');) {
    std::erase_if(cell, [](char c) { return c == ' ' || c == '*'; });
    cells.push_back(cell);
  }
  return cells;
}

// {row, column} -> dtype of the table of promotions.
std::map<std::pair<std::string, std::string>, std::string> read_table() {
  std::ifstream file(ATHANOR_DOCS_DIR "/dtypes.md");
  REQUIRE(file);
  std::map<std::pair<std::string, std::string>, std::string> table;
  std::vector<std::string> columns;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("| | ")) columns = cells_of(line);
    if (!line.starts_with("| **")) continue;
    const auto cells = cells_of(line);
    REQUIRE(cells.size() == columns.size());
    for (std::size_t i = 1; i < cells.size(); ++i) table[{cells[0], columns[i]}] = cells[i];
  }
  return table;
}

}  // namespace

TEST_CASE("promote() is the table of docs/dtypes.md, and operations follow it") {
  const auto table = read_table();
  CHECK(table.size() == 81);
  for (DType a : kTypes) {
    for (DType b : kTypes) {
      INFO(a << " with " << b);
      const auto expected = table.at({name_of(a), name_of(b)});
      CHECK(name_of(promote(a, b)) == expected);
      const Tensor x = ones({2}, a), y = ones({2}, b);
      if (expected == "bool") continue;
      CHECK(name_of(add(x, y).dtype()) == expected);
      CHECK(add(x, y).dtype() == add(y, x).dtype());
      const Tensor mask = ones({2}, DType::boolean);
      CHECK(name_of(where(mask, x, y).dtype()) == expected);
      CHECK(equal(x, y).dtype() == DType::boolean);
    }
  }
}

TEST_CASE("values survive promotion") {
  const Tensor u = from_values<std::uint8_t>({200, 255}, {2});
  const Tensor i = from_values<std::int8_t>({-100, 127}, {2});
  CHECK(add(u, i).to_vector<std::int32_t>() == std::vector<std::int32_t>{100, 382});
  const Tensor h = from_values<f16>({f16(0.5f), f16(-2)}, {2});
  CHECK(add(h, cast(h, DType::bf16)).to_vector<float>() == std::vector<float>{1, -4});
  CHECK(add(arange(2), h).dtype() == DType::f16);
}

TEST_CASE("what does not promote") {
  const Tensor i = arange(3), b = ones({3}, DType::boolean), f = ones({3});
  CHECK(add(i, 2.0).dtype() == DType::i64);
  CHECK_THROWS_WITH(div(i, i), Contains("[div] expected a floating dtype"));
  CHECK_THROWS_WITH(add(b, b), Contains("[add] expected a number dtype"));
  CHECK_THROWS_WITH(matmul(f, cast(f, DType::f64)), Contains("[matmul]"));
  Tensor y = ones({3});
  CHECK_THROWS_WITH(add_(y, cast(f, DType::f64)), Contains("expected x of dtype f32"));
  copy_(y, i);
  CHECK(y.to_vector<float>() == std::vector<float>{0, 1, 2});
  CHECK(cast(from_values<float>({-1.7f, 1.7f}, {2}), DType::i32).to_vector<std::int32_t>() ==
        std::vector<std::int32_t>{-1, 1});
}
