#include "data/vector_text.h"

#include <charconv>
#include <cmath>

#include "data/table_schema.h"

namespace athanor::data {

VectorFault parse_vector(std::string_view text, std::vector<float>& values) {
  values.clear();
  text = trimmed(text);
  if (text.starts_with('[')) {
    if (!text.ends_with(']')) return VectorFault::type;
    text = trimmed(text.substr(1, text.size() - 2));
  }
  bool finite = true;
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '+' && !text.substr(at).starts_with("+-")) ++at;
    double number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + at, end, number);
    if (error == std::errc::invalid_argument) return VectorFault::type;
    // Out of range: too large for f64, or so small that it is 0; only the first spoils a vector.
    const std::string_view spelling(text.data() + at,
                                    static_cast<std::size_t>(stop - text.data()) - at);
    const bool small = spelling.find("e-") != spelling.npos || spelling.find("E-") != spelling.npos;
    const auto value = static_cast<float>(error == std::errc() ? number : small ? 0 : HUGE_VAL);
    finite = finite && std::isfinite(value);
    values.push_back(value);
    at = static_cast<std::size_t>(stop - text.data());
    if (at == text.size()) break;
    const std::size_t before = at;
    while (at < text.size() && blank(text[at])) ++at;
    if (at < text.size() && text[at] == ',') {
      ++at;
      while (at < text.size() && blank(text[at])) ++at;
      if (at == text.size()) return VectorFault::type;  // a number is missing
    }
    if (at == before) return VectorFault::type;
  }
  if (values.empty()) return VectorFault::type;
  return finite ? VectorFault::none : VectorFault::not_finite;
}

}  // namespace athanor::data
