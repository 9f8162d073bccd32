// Checks of sizes that a caller hands to an operation.
#pragma once

#include "tensor/base/dims.h"

namespace athanor {

// Throws, naming `op`, unless all sizes are >= 0 and their product fits 63 bits.
inline void check_sizes(const char* op, const Shape& shape) {
  std::int64_t n = 1;
  for (std::int64_t size : shape) {
    if (size < 0) fail(op, "expected sizes >= 0, got ", shape);
    if (size > 0 && __builtin_mul_overflow(n, size, &n)) {
      fail(op, "expected fewer than 2^63 elements, got ", shape);
    }
  }
}

// Throws, naming `op`, unless a tensor of this rank can get one axis more.
inline void check_room(const char* op, const Shape& shape) {
  if (shape.size() == kMaxRank) {
    fail(op, "expected rank < ", kMaxRank, " to add an axis, got ", shape.size(), " (input ", shape,
         ")");
  }
}

// Throws, naming `op`, unless `from` broadcasts to `to` (NumPy's rule: aligned at the right, each
// size equal or 1).
inline void check_broadcasts_to(const char* op, const Shape& from, const Shape& to) {
  const int added = to.size() - from.size();
  bool fits = added >= 0;
  for (int i = 0; fits && i < from.size(); ++i) fits = from[i] == 1 || from[i] == to[i + added];
  if (!fits) fail(op, "expected a shape that broadcasts to ", to, ", got ", from);
}

}  // namespace athanor
