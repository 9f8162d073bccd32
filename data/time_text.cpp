#include "data/time_text.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>

namespace athanor::data {
namespace {

constexpr std::array<std::string_view, 12> kMonths{"january",   "february", "march",    "april",
                                                   "may",       "june",     "july",     "august",
                                                   "september", "october",  "november", "december"};
constexpr double kLastSecond = 253402300799;  // 9999-12-31 23:59:59
constexpr int kMaxFormatDepth = 2;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Follows one format over one text.
class TimeReader {
 public:
  explicit TimeReader(std::string_view text) : rest_(text) {}

  bool follow(std::string_view format, int depth = 0) {
    for (std::size_t i = 0; i < format.size(); ++i) {
      if (is_space(format[i])) {
        skip_space();
      } else if (format[i] != '%' || i + 1 == format.size()) {
        if (!literal(format[i])) return false;
      } else if (!directive(format[++i], depth)) {
        return false;
      }
    }
    return true;
  }
  void skip_space() {
    while (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
  }
  bool at_end() const { return rest_.empty(); }

  std::optional<double> seconds() const {
    if (epoch_) return epoch_;
    const std::chrono::year_month_day day{std::chrono::year(year_),
                                          std::chrono::month(static_cast<unsigned>(month_)),
                                          std::chrono::day(static_cast<unsigned>(day_))};
    if (!day.ok()) return {};
    int hour = hour_;
    if (half_ >= 0) {
      if (hour < 1 || hour > 12) return {};
      hour = hour % 12 + 12 * half_;
    }
    const double days = static_cast<double>(std::chrono::sys_days(day).time_since_epoch().count());
    return days * 86400 + hour * 3600 + minute_ * 60 + second_ + fraction_ - zone_;
  }

 private:
  bool literal(char c) {
    if (rest_.empty() || lower(rest_.front()) != lower(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // A number of at most `digits` digits in [low, high].
  bool number(int digits, int low, int high, int& value) {
    int count = 0, result = 0;
    while (count < digits && !rest_.empty() && is_digit(rest_.front())) {
      result = 10 * result + (rest_.front() - '0');
      rest_.remove_prefix(1);
      ++count;
    }
    value = result;
    return count > 0 && result >= low && result <= high;
  }
  bool month_name() {
    for (std::size_t m = 0; m < kMonths.size(); ++m) {
      for (const std::size_t length : {kMonths[m].size(), std::size_t{3}}) {
        if (rest_.size() < length) continue;
        std::size_t same = 0;
        while (same < length && lower(rest_[same]) == kMonths[m][same]) ++same;
        if (same < length) continue;
        rest_.remove_prefix(length);
        month_ = static_cast<int>(m) + 1;
        return true;
      }
    }
    return false;
  }
  bool half_of_day() {
    if (rest_.empty()) return false;
    const char c = lower(rest_.front());
    if (c != 'a' && c != 'p') return false;
    rest_.remove_prefix(1);
    const bool dotted = literal('.');
    if (!literal('m') || (dotted && !literal('.'))) return false;
    half_ = c == 'p';
    return true;
  }
  bool zone() {
    if (literal('Z')) return true;
    if (rest_.empty() || (rest_.front() != '+' && rest_.front() != '-')) return false;
    const int sign = rest_.front() == '+' ? 1 : -1;
    rest_.remove_prefix(1);
    int hours = 0, minutes = 0;
    if (!number(2, 0, 14, hours)) return false;
    literal(':');
    if (!number(2, 0, 59, minutes)) return false;
    zone_ = sign * (hours * 3600 + minutes * 60);
    return true;
  }
  bool fraction() {
    double unit = .1;
    bool any = false;
    for (; !rest_.empty() && is_digit(rest_.front()); unit /= 10, any = true) {
      fraction_ += (rest_.front() - '0') * unit;
      rest_.remove_prefix(1);
    }
    return any;
  }
  bool epoch(double unit) {
    double value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc() || !(std::abs(value * unit) <= kLastSecond)) return false;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    epoch_ = value * unit;
    return true;
  }
  bool two_digit_year() {
    if (!number(2, 0, 99, year_)) return false;
    year_ += year_ < 69 ? 2000 : 1900;
    return true;
  }

  bool directive(char what, int depth) {
    if (depth > kMaxFormatDepth) return false;
    int second = 0;
    switch (what) {
      case 'Y':
        return number(4, 1, 9999, year_);
      case 'y':
        return two_digit_year();
      case 'm':
        return number(2, 1, 12, month_);
      case 'd':
      case 'e':
        skip_space();
        return number(2, 1, 31, day_);
      case 'b':
      case 'B':
        return month_name();
      case 'H':
        return number(2, 0, 23, hour_);
      case 'I':
        return number(2, 1, 12, hour_);
      case 'M':
        return number(2, 0, 59, minute_);
      case 'S':
        if (!number(2, 0, 60, second)) return false;
        second_ = second == 60 ? 59 : second;
        return true;
      case 'p':
        return half_of_day();
      case 'f':
        return fraction();
      case 'z':
        return zone();
      case 's':
        return epoch(1);
      case 'F':
        return follow("%Y-%m-%d", depth + 1);
      case 'T':
        return follow("%H:%M:%S", depth + 1);
      case 'D':
        return follow("%m/%d/%y", depth + 1);
      default:
        return what == '%' && literal('%');
    }
  }

 public:
  bool milliseconds() { return epoch(1e-3); }

 private:
  std::string_view rest_;
  int year_ = 1970, month_ = 1, day_ = 1, hour_ = 0, minute_ = 0, second_ = 0;
  int half_ = -1;  // 0: before noon, 1: after
  double fraction_ = 0, zone_ = 0;
  std::optional<double> epoch_;
};

}  // namespace

std::optional<double> parse_time(std::string_view text, std::string_view format) {
  TimeReader reader(text);
  reader.skip_space();
  const bool fits = format == "epoch_ms" ? reader.milliseconds()
                                         : reader.follow(format == "epoch" ? "%s" : format);
  reader.skip_space();
  if (!fits || !reader.at_end()) return {};
  return reader.seconds();
}

const std::vector<std::string>& usual_time_formats() {
  static const std::vector<std::string> formats{"%Y-%m-%dT%H:%M:%S%z",  "%Y-%m-%dT%H:%M:%S.%f%z",
                                                "%Y-%m-%dT%H:%M:%S",    "%Y-%m-%dT%H:%M:%S.%f",
                                                "%Y-%m-%d %H:%M:%S%z",  "%Y-%m-%d %H:%M:%S",
                                                "%Y-%m-%d %H:%M",       "%Y-%m-%d",
                                                "%d %b %Y %H:%M:%S %z", "%d/%b/%y %H:%M",
                                                "%d/%b/%Y %H:%M",       "%d-%b-%Y",
                                                "%Y/%m/%d %H:%M:%S",    "%Y/%m/%d"};
  return formats;
}

double parse_time(std::string_view text, const std::vector<std::string>& formats) {
  for (const std::string& format : formats) {
    if (const auto seconds = parse_time(text, format)) return *seconds;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

std::string format_time(double seconds) {
  if (!(std::abs(seconds) <= kLastSecond)) return "";
  const auto whole = static_cast<std::int64_t>(std::floor(seconds));
  const std::chrono::sys_seconds moment{std::chrono::seconds(whole)};
  const auto days = std::chrono::floor<std::chrono::days>(moment);
  const std::chrono::year_month_day day{days};
  const auto rest = (moment - days).count();
  char buffer[48];
  std::snprintf(buffer, sizeof buffer, "%04d-%02u-%02uT%02d:%02d:%02dZ",
                static_cast<int>(day.year()), static_cast<unsigned>(day.month()),
                static_cast<unsigned>(day.day()), static_cast<int>(rest / 3600),
                static_cast<int>(rest / 60 % 60), static_cast<int>(rest % 60));
  return buffer;
}

}  // namespace athanor::data
