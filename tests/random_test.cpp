#include "tensor/random.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "tensor/base/parallel.h"
#include "tensor/ops.h"

using namespace athanor;

// Known answers of Random123 (Salmon et al., kat_vectors).
TEST_CASE("philox4x32-10 gives the published words") {
  using Words = std::array<std::uint32_t, 4>;
  CHECK(philox(0, 0, 0) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  const std::uint64_t ones = ~std::uint64_t{0};
  CHECK(philox(ones, ones, ones) == Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox(0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("draws are the generator's stream, from any position and at any number of threads") {
  const int before = num_threads();
  for (std::uint64_t position : {0, 1, 2, 3, 4, 7}) {
    for (std::int64_t n : {0, 1, 2, 5, 40001}) {
      Generator one(5, 9), uniform(5, 9), normal(5, 9), bits(5, 9);
      for (Generator* g : {&one, &uniform, &normal, &bits}) g->set_position(position);
      set_num_threads(4);
      const auto u = random_uniform({n}, uniform, -1, 3, DType::f64).to_vector<double>();
      const auto z = random_normal({n}, normal, 2, 0.5, DType::f64).to_vector<double>();
      const auto b = random_bernoulli({n}, bits, 0.25).to_vector<bool>();
      set_num_threads(1);
      bool equal = true;
      for (std::size_t i = 0; i < std::size_t(n); ++i) {
        const std::uint32_t word = one.next_u32();
        equal =
            equal && u[i] == -1 + 4 * ((word >> 8) / 16777216.0) && b[i] == (word < 0x40000000u);
      }
      CHECK(equal);
      CHECK(uniform.position() == one.position());
      CHECK(bits.position() == one.position());
      one.set_position(position);
      for (std::size_t i = 0; i < std::size_t(n); ++i) {
        equal = equal && z[i] == 2 + 0.5 * one.next_normal();
      }
      CHECK(equal);
      CHECK(normal.position() == one.position());
    }
  }
  set_num_threads(before);
}

TEST_CASE("moments of the draws lie within five standard errors") {
  Generator generator(11);
  const std::int64_t n = 200000;
  const double root = std::sqrt(double(n));
  const auto mean_of = [](const Tensor& x) { return mean(x).item(); };
  const Tensor u = random_uniform({n}, generator, 0, 1, DType::f64);
  CHECK(std::abs(mean_of(u) - 0.5) < 5 * std::sqrt(1.0 / 12) / root);
  CHECK(std::abs(mean_of(square(u)) - 1.0 / 3) < 5 * std::sqrt(4.0 / 45) / root);
  const Tensor z = random_normal({n}, generator, 0, 1, DType::f64);
  CHECK(std::abs(mean_of(z)) < 5 / root);
  CHECK(std::abs(mean_of(square(z)) - 1) < 5 * std::sqrt(2.0) / root);
  CHECK(std::abs(mean_of(square(square(z))) - 3) < 5 * std::sqrt(96.0) / root);
  const Tensor b = cast(random_bernoulli({n}, generator, 0.3), DType::f64);
  CHECK(std::abs(mean_of(b) - 0.3) < 5 * std::sqrt(0.21) / root);
  CHECK(all(random_bernoulli({1000}, generator, 1)).item() == 1);
  CHECK(any(random_bernoulli({1000}, generator, 0)).item() == 0);
}

TEST_CASE("permutations hold each number once, and each order is as likely") {
  Generator generator(13);
  auto p = random_permutation(1000, generator).to_vector<std::int64_t>();
  CHECK_FALSE(std::is_sorted(p.begin(), p.end()));
  std::sort(p.begin(), p.end());
  for (std::size_t i = 0; i < p.size(); ++i) CHECK(p[i] == std::int64_t(i));
  int counts[6] = {};
  for (int i = 0; i < 6000; ++i) {
    const auto order = random_permutation(3, generator).to_vector<std::int64_t>();
    ++counts[order[0] * 2 + (order[1] > order[2])];
  }
  // 1000 each with standard deviation 29.
  for (int count : counts) CHECK(std::abs(count - 1000) < 150);
  CHECK(random_permutation(0, generator).shape() == Shape{0});
}

TEST_CASE("draws of 16-bit dtypes, and bad arguments") {
  Generator a(3), b(3);
  const Tensor x = random_normal({100}, a, 0, 1, DType::bf16);
  CHECK(x.dtype() == DType::bf16);
  const Tensor y = cast(random_normal({100}, b, 0, 1, DType::f32), DType::bf16);
  CHECK(all(equal(x, y)).item() == 1);
  CHECK_THROWS_WITH(random_uniform({2}, a, 0, 1, DType::i32), Catch::Contains("floating dtype"));
  CHECK_THROWS_WITH(random_bernoulli({2}, a, 1.5), Catch::Contains("expected p in [0, 1]"));
  CHECK_THROWS_WITH(random_permutation(-1, a), Catch::Contains("expected n >= 0"));
  CHECK_THROWS_WITH(a.next_below(0), Catch::Contains("expected bound >= 1"));
}
