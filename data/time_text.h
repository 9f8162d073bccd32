// Moments written as text.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace athanor::data {

// Seconds since 1970-01-01 00:00 UTC of `text`, read by `format`; nothing when it does not fit or
// names no day or time of day that exists (31 Feb, 25:00). Directives of strptime: %Y %y (69-99 =
// 19xx) %m %d %e %b %B (English) %H %I %M %S (60 is 59) %p (am, PM, a.m.) %f (fraction) %z (Z,
// +0100, +01:00) %s %%, and %F %T %D for their sums; a blank matches any white space or none. The
// format "epoch" reads seconds, "epoch_ms" milliseconds. Without a zone UTC is meant; without a
// date the day is 1970-01-01.
std::optional<double> parse_time(std::string_view text, std::string_view format);

// The formats that are tried when none is given: ISO 8601 with its usual shortenings, RFC 2822
// days, day/Mon/year.
const std::vector<std::string>& usual_time_formats();

// The first format that fits; NaN when none does.
double parse_time(std::string_view text, const std::vector<std::string>& formats);

// 2024-01-01T00:00:00Z
std::string format_time(double seconds);

}  // namespace athanor::data
