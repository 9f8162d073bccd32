#include "distill/refine/cell_issues.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "data/table_schema.h"
#include "data/text/edit_distance.h"

namespace athanor::distill {

std::string_view name_of(CellFault fault) {
  constexpr std::string_view names[] = {"absent",      "sentinel", "type",       "range",
                                        "pattern",     "key",      "dependency", "file",
                                        "undecodable", "width",    "not_finite", "zero"};
  return names[static_cast<std::size_t>(fault)];
}

std::optional<std::string> leading_number(std::string_view value) {
  value = data::trimmed(value);
  double number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || !std::isfinite(number)) return {};
  // What follows must not go on like a number, as in a date.
  if (end != value.data() + value.size() && (*end == '-' || *end == '/' || *end == ':')) return {};
  char buffer[32];
  // 12 digits leave out the noise of binary fractions (0.055999999999999994).
  const double rounded = std::stod(std::string(
      buffer,
      std::to_chars(buffer, buffer + sizeof buffer, number, std::chars_format::general, 12).ptr));
  return std::string(buffer, std::to_chars(buffer, buffer + sizeof buffer, rounded).ptr);
}

std::optional<std::string> nearest_value(std::string_view value,
                                         const std::vector<std::string>& values) {
  std::size_t best = value.size() + 1, second = best;
  const std::string* nearest = nullptr;
  for (const std::string& candidate : values) {
    const std::size_t distance = data::edit_distance(value, candidate);
    if (distance < best) {
      second = best;
      best = distance;
      nearest = &candidate;
    } else {
      second = std::min(second, distance);
    }
  }
  if (!nearest || best == second || 3 * best > nearest->size()) return {};
  return *nearest;
}

}  // namespace athanor::distill
