#include "distill/refine/cell_issues.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "data/table_schema.h"

namespace athanor::distill {
namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::string_view name_of(CellFault fault) {
  constexpr std::string_view names[] = {"absent",  "sentinel", "type",      "range",
                                        "pattern", "key",      "dependency"};
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
    const std::size_t distance = edit_distance(value, candidate);
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
