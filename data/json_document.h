// JSON files whose structure is only partly known, as a document; for flat formats see JsonScanner.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string_view>

#include "tensor/io/limits.h"

namespace athanor::data {

struct JsonLimits {
  int max_depth = 64;
  std::size_t max_values = 20'000'000;  // members and elements of the whole document
};

// The document in `bytes` (RFC 8259, UTF-8). Throws bad_input naming `file` and the offset:
// malformed text, a member that stands twice in its object, deeper nesting, more values, more than
// limits.max_bytes.
nlohmann::json parse_json(std::span<const std::byte> bytes, std::string_view file,
                          const Limits& limits = {}, const JsonLimits& json_limits = {});

}  // namespace athanor::data
