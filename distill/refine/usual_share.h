// When what most pictures or sounds of a table have says how they are.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <string>

namespace athanor::distill {

inline constexpr std::int64_t kLeastOfKind = 50;  // fewer tell nothing of each other
// So many pass a check whose failure is a fault; else the check says how the set is.
inline constexpr double kUsualShare = .80;

inline bool are_share(std::int64_t some, std::int64_t all, double least) {
  return static_cast<double>(some) >= least * static_cast<double>(all);
}

// Rounded down: 94.99% is not 95%.
inline std::string percent(std::int64_t some, std::int64_t all) {
  return fmt::format("{:.0f}%",
                     std::floor(100 * static_cast<double>(some) / static_cast<double>(all)));
}

}  // namespace athanor::distill
