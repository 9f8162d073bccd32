#include "distill/report/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

namespace athanor::distill::report {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::string_view kMinus = "\xE2\x88\x92";        // U+2212
constexpr std::string_view kNotAvailable = "n/a";

bool is_continuation(unsigned char c) { return (c & 0xc0u) == 0x80u; }

// Length of the well-formed UTF-8 sequence at the front of `text`, or 0 (Unicode 15, table 3-7).
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  std::size_t length = 0;
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) length = 2;
  if (lead >= 0xe0 && lead <= 0xef) length = 3;
  if (lead >= 0xf0 && lead <= 0xf4) length = 4;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if (!is_continuation(byte(i))) return 0;
  }
  const unsigned char second = byte(1);
  const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
  const bool surrogate = lead == 0xed && second > 0x9f;
  const bool too_high = lead == 0xf4 && second > 0x8f;
  return overlong || surrogate || too_high ? 0 : length;
}

std::string with_minus(std::string text) {
  if (!text.empty() && text.front() == '-') text.replace(0, 1, kMinus);
  return text;
}

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    const auto c = static_cast<unsigned char>(text.front());
    if (length == 0 || (c < 0x20 && c != '\t' && c != '\n') || c == 0x7f) {
      out += kReplacement;
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else if (c == '\'') {
      out += "&#39;";
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

std::string data_uri(std::string_view media_type, std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string uri = "data:" + std::string(media_type) + ";base64,";
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      group = group << 8 | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      uri += i <= count ? kDigits[group >> (18 - 6 * i) & 63] : '=';
    }
  }
  return uri;
}

std::string format_count(std::int64_t count) {
  std::string text = std::to_string(count);
  const int first = count < 0 ? 1 : 0;
  for (int i = static_cast<int>(text.size()) - 3; i > first; i -= 3) {
    text.insert(static_cast<std::size_t>(i), ",");
  }
  return with_minus(text);
}

std::string format_number(double value) {
  if (!std::isfinite(value)) return std::string(kNotAvailable);
  const double size = std::abs(value);
  if (value == 0) return "0";
  if (size >= 1000 && size < 1e12) return format_count(std::llround(value));
  if (size >= 100) return with_minus(fmt::format("{:.4g}", value));
  return with_minus(fmt::format("{:.3g}", value));
}

std::string format_fixed(double value, int decimals) {
  if (!std::isfinite(value)) return std::string(kNotAvailable);
  return with_minus(fmt::format("{:.{}f}", value, decimals));
}

std::string format_percent(double share, int decimals) {
  if (!std::isfinite(share)) return std::string(kNotAvailable);
  return format_fixed(share * 100, decimals) + "%";
}

std::string format_signed(double value, int decimals) {
  if (!std::isfinite(value)) return std::string(kNotAvailable);
  const std::string size = fmt::format("{:.{}f}", std::abs(value), decimals);
  const bool zero = size.find_first_not_of("0.") == std::string::npos;
  const std::string_view sign = zero ? "\xC2\xB1" : value > 0 ? "+" : kMinus;
  return std::string(sign) + size;
}

std::string format_seconds(double seconds) {
  if (!std::isfinite(seconds)) return std::string(kNotAvailable);
  if (seconds < 0.1) return format_number(seconds * 1000) + " ms";
  if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = std::llround(seconds);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole / 60 % 60);
}

std::string coord(double value) {
  if (!std::isfinite(value)) return "0";
  std::string text = fmt::format("{:.1f}", value);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text == "-0" ? "0" : text;
}

std::string readable_name(std::string_view name) {
  constexpr std::string_view kBaseline = "baseline:";
  if (name.starts_with(kBaseline)) name.remove_prefix(kBaseline.size());
  std::string out;
  for (std::string_view rest = name; !rest.empty();) {
    const std::size_t end = std::min(rest.find_first_of("_:"), rest.size());
    std::string word(rest.substr(0, end));
    if (word == "kd" || word == "gce" || word == "fgsm" || word == "pgd" || word == "int8") {
      for (char& c : word) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    if (!out.empty()) out += ' ';
    out += word;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return out;
}

}  // namespace athanor::distill::report
