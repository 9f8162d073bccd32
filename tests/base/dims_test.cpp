// Shapes and strides: exact integer results, so no tolerance is involved.
#include "tensor/base/dims.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <limits>

namespace athanor {
namespace {

TEST_CASE("Dims keeps up to kMaxRank entries") {
  Dims d{2, 3};
  d.insert(1, 7);
  CHECK(d == Dims{2, 7, 3});
  d.erase(0);
  CHECK(d == Dims{7, 3});
  CHECK(str(d) == "[7, 3]");
  CHECK(d.back() == 3);
  CHECK(Dims::filled(3, 4) == Dims{4, 4, 4});
  CHECK(Dims{}.empty());

  Dims full = Dims::filled(kMaxRank, 1);
  CHECK_THROWS_AS(full.push_back(1), Error);
  CHECK_THROWS_AS((Dims{1, 1, 1, 1, 1, 1, 1, 1, 1}), Error);
  CHECK(full.size() == kMaxRank);
}

TEST_CASE("numel_of multiplies, and refuses negative sizes and overflow") {
  CHECK(numel_of({}) == 1);
  CHECK(numel_of({2, 3, 4}) == 24);
  CHECK(numel_of({2, 0, 4}) == 0);
  const std::int64_t big = std::numeric_limits<std::int64_t>::max();
  CHECK(numel_of({big}) == big);
  CHECK_THROWS_AS(numel_of({big, 2}), Error);
  CHECK_THROWS_AS(numel_of({2, -1}), Error);
}

TEST_CASE("the non-zero sizes must not overflow even beside a zero, because the strides would") {
  const std::int64_t big = std::numeric_limits<std::int64_t>::max();
  CHECK_THROWS_AS(numel_of({0, big, big}), Error);
  CHECK_THROWS_AS(numel_of({big, 0, big}), Error);
}

TEST_CASE("contiguous_strides are row-major") {
  CHECK(contiguous_strides({2, 3, 4}) == Strides{12, 4, 1});
  CHECK(contiguous_strides({2, 0, 4}) == Strides{4, 4, 1});
  CHECK(contiguous_strides({}) == Strides{});
}

TEST_CASE("normalize_axis counts from the back and names the op in its error") {
  CHECK(normalize_axis("sum", -1, {4, 8}) == 1);
  CHECK(normalize_axis("sum", 0, {4, 8}) == 0);
  CHECK_THROWS_WITH(normalize_axis("softmax", 3, {4, 8}),
                    "[softmax] expected axis in [-2, 2), got 3 (input [4, 8])");
  CHECK_THROWS_AS(normalize_axis("sum", 0, {}), Error);
}

}  // namespace
}  // namespace athanor
