// Arguments of the random kernel of devices. The CPU fills its tensors in tensor/random.cpp, which
// is what the numbers have to equal.
#pragma once

#include "tensor/backend/args.h"

namespace athanor {

enum class RandomKind : std::uint8_t {
  uniform,    // a + (b - a) * (word >> 8) / 2^24, computed in double, rounded to f32 or f64 once
  normal,     // a + b * z; z by Box-Muller from two words, as normal_from() in tensor/random.cpp
  bernoulli,  // word < threshold, to bool
};

// y, contiguous: element i from word `position + i` of the Philox stream (normal: words
// position + 2 i and + 2 i + 1). Word w is lane w % 4 of philox(seed, w / 4, stream). Decided by
// y's dtype: floating, or bool for bernoulli.
struct RandomArgs {
  RandomKind kind;
  std::uint64_t seed, stream, position;
  double a, b;
  std::uint64_t threshold;  // up to 2^32
  Operand y;
};

}  // namespace athanor
