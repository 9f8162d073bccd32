// Text for a page: escaping and numbers as people read them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace athanor::distill::report {

// Text made safe inside an element or a quoted attribute of HTML or XML. Control characters, which
// XML forbids, and bytes that are no valid UTF-8 become U+FFFD.
std::string escape(std::string_view text);

// Bytes as an address that holds them (RFC 2397, base64): the `src` of an image within the page.
std::string data_uri(std::string_view media_type, std::string_view bytes);

// 1234567 -> "1,234,567".
std::string format_count(std::int64_t count);

// Three or four significant digits without needless zeros: "0.852", "1,240", "2e-05"; NaN -> "n/a".
std::string format_number(double value);

// A fixed number of decimals with a true minus sign; NaN -> "n/a".
std::string format_fixed(double value, int decimals);

// 0.3812 -> "38.1%"; NaN -> "n/a".
std::string format_percent(double share, int decimals = 1);

// A difference with its sign: "+1.2", "−0.3" (U+2212), "±0.0"; NaN -> "n/a".
std::string format_signed(double value, int decimals);

// 75.2 -> "1 min 15 s", 4.21 -> "4.2 s"; NaN -> "n/a".
std::string format_seconds(double seconds);

// A coordinate of a picture: at most one decimal, no trailing ".0".
std::string coord(double value);

// "baseline:vanilla_kd" -> "vanilla KD", "without:refine" -> "without refine".
std::string readable_name(std::string_view name);

}  // namespace athanor::distill::report
