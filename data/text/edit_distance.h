#pragma once

#include <cstddef>
#include <string_view>

namespace athanor::data {

// Fewest bytes to insert, delete or replace that turn `a` into `b` (Levenshtein).
std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace athanor::data
