// Counter-based random numbers (Philox4x32-10; Salmon et al., SC 2011).
//
// Value i of a draw depends on (seed, position + i) alone, so a stream has the same bits on every
// device and at every thread count. Integers and uniforms are bit-equal everywhere; normals (Box-
// Muller) within 2 ULP. Masks and permutations derive from integers only.
#pragma once

#include <array>
#include <cstdint>

#include "tensor/tensor.h"

namespace athanor {

// Four 32-bit words for a 128-bit counter (low word first) under a 64-bit key.
std::array<std::uint32_t, 4> philox(std::uint64_t key, std::uint64_t counter_low,
                                    std::uint64_t counter_high);

// A stream of random numbers. Its whole state is (seed, stream, position): save and restore those.
// Not thread-safe; give each thread a generator of its own stream.
class Generator {
 public:
  explicit Generator(std::uint64_t seed, std::uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  std::uint64_t seed() const { return seed_; }
  std::uint64_t stream() const { return stream_; }
  std::uint64_t position() const { return position_; }
  void set_position(std::uint64_t position) { position_ = position; }

  std::uint32_t next_u32();
  // Uniform in [0, 1), 24 random bits.
  double next_uniform();
  // Uniform integer in [0, bound) without bias. Throws when bound < 1.
  std::int64_t next_below(std::int64_t bound);
  double next_normal();

  // A generator for a sub-task: independent of this one for every `label`.
  Generator fork(std::uint64_t label) const;

 private:
  std::uint64_t seed_, stream_;
  std::uint64_t position_ = 0;  // in 32-bit words
};

// New tensors of random values; floating dtypes. The generator advances by one word an element, for
// normals by two.
Tensor random_uniform(const Shape& shape, Generator& generator, double low = 0, double high = 1,
                      DType dtype = DType::f32);
Tensor random_normal(const Shape& shape, Generator& generator, double mean = 0, double stddev = 1,
                     DType dtype = DType::f32);
// true with probability p, decided by comparing integers.
Tensor random_bernoulli(const Shape& shape, Generator& generator, double p);
// A permutation of 0 .. n - 1, i64 (Fisher-Yates).
Tensor random_permutation(std::int64_t n, Generator& generator);

}  // namespace athanor
