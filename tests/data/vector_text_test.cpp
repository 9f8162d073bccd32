#include "data/vector_text.h"

#include <catch2/catch.hpp>

using athanor::data::parse_vector;
using athanor::data::VectorFault;

TEST_CASE("vectors are JSON arrays, or numbers with blanks or commas between them") {
  const std::vector<float> expected = {.5f, -2, 1e-3f};
  std::vector<float> values;
  for (const char* text : {"[0.5,-2,1e-3]", " [ 0.5 , -2 , 0.001 ] ", "0.5 -2 1e-3", "0.5,-2,1e-3",
                           "0.5, -2,\t0.001", "+0.5  -2.0 .001"}) {
    CAPTURE(text);
    REQUIRE(parse_vector(text, values) == VectorFault::none);
    CHECK(values == expected);
  }
  REQUIRE(parse_vector("[1e-400, 7]", values) == VectorFault::none);  // rounds to 0
  CHECK(values == std::vector<float>{0, 7});
}

TEST_CASE("what is no vector, or one with numbers that are none, is told apart") {
  std::vector<float> values;
  for (const char* text : {"", "[]", "[1, 2", "1, 2]", "[1, null]", "[[1, 2]]", "1,,2", "1, 2,",
                           "one two", "1;2", "0x10", "--1", "+-1", "[1 2,]", "{\"a\":1}"}) {
    CAPTURE(text);
    CHECK(parse_vector(text, values) == VectorFault::type);
  }
  for (const char* text : {"1 nan", "[1, -inf]", "NaN 2", "1e39 1", "[1e400]"}) {
    CAPTURE(text);
    CHECK(parse_vector(text, values) == VectorFault::not_finite);
  }
}
