// One JSON object as a flat list of named texts.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/record_reader.h"

namespace athanor::data {

// The members of the object in `text`, in their order: strings decoded, numbers as they are
// written, true and false by name, null as "", members of nested objects as `outer.inner`, arrays
// as their JSON text. A problem when it is no object, is invalid, nests deeper than max_depth or
// repeats a name.
std::optional<RecordProblem> flatten_json(
    std::string_view text, int max_depth,
    std::vector<std::pair<std::string, std::string>>& members);

}  // namespace athanor::data
