// A pair of sizes along height and width.
#pragma once

#include <cstdint>
#include <ostream>

namespace athanor {

// Converts from one number that holds for both axes: `.stride = 2`, `.kernel = {3, 5}`.
struct Size2 {
  std::int64_t h = 0, w = 0;

  constexpr Size2() = default;
  constexpr Size2(std::int64_t both) : h(both), w(both) {}
  constexpr Size2(std::int64_t height, std::int64_t width) : h(height), w(width) {}
  friend constexpr bool operator==(const Size2&, const Size2&) = default;
};

inline std::ostream& operator<<(std::ostream& out, const Size2& s) {
  return out << '(' << s.h << ", " << s.w << ')';
}

}  // namespace athanor
