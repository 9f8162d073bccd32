// Vectors that are written in a field of a table.
#pragma once

#include <string_view>
#include <vector>

namespace athanor::data {

enum class VectorFault { none, type, not_finite };

// `text` is a JSON array of numbers, or numbers with blanks or commas between them: "[0.1, 0.2]",
// "0.1 0.2", "0.1,0.2". Into `values`, which is left in no certain state by a fault: `type` where
// something else stands there or nothing, `not_finite` for nan, inf and what f32 cannot hold.
VectorFault parse_vector(std::string_view text, std::vector<float>& values);

}  // namespace athanor::data
