#include "tensor/random.h"

#include <cmath>
#include <numbers>
#include <vector>

#include "tensor/backend/philox.h"
#include "tensor/base/parallel.h"
#include "tensor/base/sizes.h"

namespace athanor {
namespace {

constexpr double kTwoTo24 = 16777216.0;

double uniform_from(std::uint32_t word) { return (word >> 8) / kTwoTo24; }

// Box-Muller on one pair of words: (0, 1] for the radius, so that its logarithm is finite.
double normal_from(std::uint32_t radius_word, std::uint32_t angle_word) {
  const double u = (static_cast<double>(radius_word) + 1.0) / 4294967296.0;
  const double v = uniform_from(angle_word);
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
}

// Calls f(i, word) for the next n words of the generator, which advances; on several threads, since
// word i depends on its position alone.
template <class F>
void for_words(Generator& generator, std::int64_t n, F f) {
  if (n == 0) return;
  constexpr std::int64_t kGrain = 4096;  // calls of philox a thread takes at least
  const std::uint64_t first = generator.position(), count = static_cast<std::uint64_t>(n);
  const std::uint64_t first_block = first / 4, last_block = (first + count - 1) / 4;
  const auto blocks = static_cast<std::int64_t>(last_block - first_block + 1);
  parallel_for(blocks, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      const std::uint64_t block = first_block + static_cast<std::uint64_t>(b);
      const auto words = philox(generator.seed(), block, generator.stream());
      for (std::uint64_t lane = 0; lane < 4; ++lane) {
        const std::uint64_t i = block * 4 + lane - first;  // wraps before the first word
        if (i < count) f(static_cast<std::int64_t>(i), words[lane]);
      }
    }
  });
  generator.set_position(first + count);
}

void check_floating(const char* op, DType dtype) {
  if (!is_floating(dtype)) fail(op, "expected a floating dtype, got ", dtype);
}

}  // namespace

std::array<std::uint32_t, 4> philox(std::uint64_t key, std::uint64_t counter_low,
                                    std::uint64_t counter_high) {
  const detail::PhiloxBlock b = detail::philox_block(key, counter_low, counter_high);
  return {b.lane[0], b.lane[1], b.lane[2], b.lane[3]};
}

std::uint32_t Generator::next_u32() {
  const std::uint64_t at = position_++;
  return philox(seed_, at / 4, stream_)[at % 4];
}

double Generator::next_uniform() { return uniform_from(next_u32()); }

std::int64_t Generator::next_below(std::int64_t bound) {
  if (bound < 1) fail("next_below", "expected bound >= 1, got ", bound);
  const std::uint64_t n = static_cast<std::uint64_t>(bound);
  // Rejects the top of the range, where some residues would be more likely.
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % n;
  for (;;) {
    const std::uint64_t high = next_u32();
    const std::uint64_t word = (high << 32) | next_u32();
    if (word < limit) return static_cast<std::int64_t>(word % n);
  }
}

double Generator::next_normal() {
  const std::uint32_t radius = next_u32();
  return normal_from(radius, next_u32());
}

Generator Generator::fork(std::uint64_t label) const {
  const auto words = philox(seed_ ^ 0x9E3779B97F4A7C15u, label, stream_);
  return Generator(seed_, (std::uint64_t{words[1]} << 32) | words[0]);
}

Tensor random_uniform(const Shape& shape, Generator& generator, double low, double high,
                      DType dtype) {
  check_floating("random_uniform", dtype);
  check_sizes("random_uniform", shape);
  Tensor t = empty(shape, dtype);
  detail::label_new_blocks("random_uniform");
  visit(dtype, [&]<class T>(Tag<T>) {
    T* values = t.data<T>();
    for_words(generator, t.numel(), [&](std::int64_t i, std::uint32_t word) {
      values[i] =
          static_cast<T>(static_cast<compute_t<T>>(low + (high - low) * uniform_from(word)));
    });
  });
  return t;
}

Tensor random_normal(const Shape& shape, Generator& generator, double mean, double stddev,
                     DType dtype) {
  check_floating("random_normal", dtype);
  check_sizes("random_normal", shape);
  Tensor t = empty(shape, dtype);
  detail::label_new_blocks("random_normal");
  visit(dtype, [&]<class T>(Tag<T>) {
    T* values = t.data<T>();
    std::vector<std::uint32_t> words(static_cast<std::size_t>(t.numel()) * 2);
    for_words(generator, t.numel() * 2,
              [&](std::int64_t i, std::uint32_t w) { words[static_cast<std::size_t>(i)] = w; });
    parallel_for(t.numel(), 4096, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const auto at = static_cast<std::size_t>(i) * 2;
        const double value = mean + stddev * normal_from(words[at], words[at + 1]);
        values[i] = static_cast<T>(static_cast<compute_t<T>>(value));
      }
    });
  });
  return t;
}

Tensor random_bernoulli(const Shape& shape, Generator& generator, double p) {
  if (!(p >= 0 && p <= 1)) fail("random_bernoulli", "expected p in [0, 1], got ", p);
  check_sizes("random_bernoulli", shape);
  const std::uint64_t threshold = static_cast<std::uint64_t>(p * 4294967296.0);
  Tensor t = empty(shape, DType::boolean);
  detail::label_new_blocks("random_bernoulli");
  bool* values = t.data<bool>();
  for_words(generator, t.numel(),
            [&](std::int64_t i, std::uint32_t word) { values[i] = word < threshold; });
  return t;
}

Tensor random_permutation(std::int64_t n, Generator& generator) {
  if (n < 0) fail("random_permutation", "expected n >= 0, got ", n);
  Tensor t = empty({n}, DType::i64);
  detail::label_new_blocks("random_permutation");
  std::int64_t* values = t.data<std::int64_t>();
  for (std::int64_t i = 0; i < n; ++i) values[i] = i;
  for (std::int64_t i = n - 1; i > 0; --i)
    std::swap(values[i], values[generator.next_below(i + 1)]);
  return t;
}

}  // namespace athanor
