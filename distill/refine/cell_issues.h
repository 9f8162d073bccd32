// What is wrong with single fields of a table, and what was most likely meant.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace athanor::distill {

enum class CellFault : std::uint8_t {
  absent,       // a required field is empty
  sentinel,     // a word that stands for nothing, as "N/A"
  type,         // no number or moment where the column has those
  range,        // a number outside the column's limits
  pattern,      // breaks a rule on its spelling or its set of values
  key,          // repeats a value that must be unique, or is not in the other table
  dependency,   // differs from what the field must be, given others
  file,         // of an image or sound: it is not there, or cannot be read
  undecodable,  // ... it is no picture or sound, or a damaged one
  width,        // of a vector: another number of numbers than the others have
  not_finite,   // ... NaN or infinity in it
  zero,         // ... nothing but zeros
};
inline constexpr std::size_t kCellFaults = 12;
std::string_view name_of(CellFault fault);

struct CellIssue {
  std::int64_t row = 0;
  std::int32_t column = 0;
  CellFault fault = CellFault::absent;
  // The value most likely meant; nothing where none can be told. It may be empty: a sentinel means
  // that there is no value.
  std::optional<std::string> suggestion;
};

// The number at the front of a value such as "12.0 oz" or "0.05%", in its shortest spelling;
// nothing where there is none.
std::optional<std::string> leading_number(std::string_view value);

// The member of `values` that is nearest by Levenshtein distance: at most a third of its length
// away and nearer than every other.
std::optional<std::string> nearest_value(std::string_view value,
                                         const std::vector<std::string>& values);

}  // namespace athanor::distill
