#include "distill/report/svg_frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "distill/report/html.h"

namespace athanor::distill::report {
namespace {

// The largest of 1, 2, 5 times a power of ten that cuts `span` into at least about `count` parts.
double nice_step(double span, int count) {
  const double raw = span / std::max(count, 1);
  const double magnitude = std::pow(10.0, std::floor(std::log10(raw)));
  const double lead = raw / magnitude;
  const double factor = lead < 1.5 ? 1 : lead < 3.5 ? 2 : lead < 7.5 ? 5 : 10;
  return factor * magnitude;
}

std::vector<double> log_ticks(double lo, double hi) {
  const int first = static_cast<int>(std::floor(std::log10(lo) - 1e-9));
  const int last = static_cast<int>(std::ceil(std::log10(hi) + 1e-9));
  const int decades = last - first;
  std::vector<double> out;
  for (int exponent = first; exponent <= last; ++exponent) {
    for (const double lead : {1.0, 2.0, 5.0}) {
      if (lead != 1.0 && decades > 2) continue;
      if (lead == 1.0 && decades > 6 && (exponent - first) % 2 != 0) continue;
      const double value = lead * std::pow(10.0, exponent);
      if (value >= lo * (1 - 1e-9) && value <= hi * (1 + 1e-9)) out.push_back(value);
    }
  }
  return out;
}

std::string label_of(double value, const std::vector<double>& values, const Axis& axis) {
  if (axis.log) return format_number(value);
  return tick_label(value, values.size() > 1 ? values[1] - values[0] : 1.0, axis.percent);
}

}  // namespace

Scale::Scale(double lo, double hi, double from, double to, bool log)
    : lo_(lo), hi_(hi), from_(from), to_(to), log_(log) {}

bool Scale::shows(double value) const { return std::isfinite(value) && (!log_ || value > 0); }

double Scale::operator()(double value) const {
  const double share =
      log_ ? (std::log10(value) - std::log10(lo_)) / (std::log10(hi_) - std::log10(lo_))
           : (value - lo_) / (hi_ - lo_);
  return from_ + std::clamp(share, 0.0, 1.0) * (to_ - from_);
}

std::vector<double> ticks(double lo, double hi, int count, bool log) {
  if (!(hi > lo)) return {lo};
  if (log) return log_ticks(lo, hi);
  const double step = nice_step(hi - lo, count);
  std::vector<double> out;
  const double first = std::ceil(lo / step - 1e-9);
  for (double i = first; i * step <= hi + step * 1e-9; ++i) {
    out.push_back(i == 0 ? 0.0 : i * step);
  }
  return out;
}

std::string tick_label(double value, double step, bool percent) {
  const double factor = percent ? 100 : 1;
  const double shown = value * factor;
  const double shown_step = std::abs(step * factor);
  std::string text;
  const double size = std::abs(shown);
  if (size >= 10000 && shown_step >= 1000) {
    text = format_number(shown / 1000) + "k";
  } else if (size != 0 && size < 1e-3) {
    text = format_number(shown);
  } else {
    const int decimals =
        shown_step > 0
            ? std::clamp(static_cast<int>(-std::floor(std::log10(shown_step) + 1e-9)), 0, 6)
            : 0;
    text = format_fixed(shown, decimals);
  }
  return percent ? text + "%" : text;
}

Range axis_range(const Axis& axis, double data_lo, double data_hi, int tick_count) {
  if (!(data_hi >= data_lo)) {
    data_lo = axis.log ? 0.1 : 0;
    data_hi = 1;
  }
  double lo = std::isfinite(axis.min) ? axis.min : data_lo;
  double hi = std::isfinite(axis.max) ? axis.max : data_hi;
  if (axis.log) {
    if (!(hi > lo * 1.001)) {
      lo /= 2;
      hi *= 2;
    }
    return {lo, hi};
  }
  if (!(hi > lo)) hi = lo + std::max(std::abs(lo) * 0.1, 1e-6);
  const double step = nice_step(hi - lo, tick_count);
  if (!std::isfinite(axis.min)) lo = std::floor(lo / step + 1e-9) * step;
  if (!std::isfinite(axis.max)) hi = std::ceil(hi / step - 1e-9) * step;
  return {lo, hi};
}

std::string open_svg(double width, double height, std::string_view title,
                     std::string_view description, std::string_view css_class) {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" role=\"img\"{2}>"
      "<title>{3}</title><desc>{4}</desc>\n",
      coord(width), coord(height), css_class.empty() ? "" : fmt::format(" class=\"{}\"", css_class),
      escape(title), escape(description));
}

std::string text_at(double x, double y, std::string_view text, std::string_view css_class,
                    std::string_view extra_attributes) {
  return fmt::format("<text x=\"{}\" y=\"{}\" class=\"{}\"{}{}>{}</text>", coord(x), coord(y),
                     css_class, extra_attributes.empty() ? "" : " ", extra_attributes,
                     escape(text));
}

std::string draw_x_axis(const Axis& axis, const Scale& scale, const Area& area, int tick_count) {
  std::string out;
  const std::vector<double> values = ticks(scale.lo(), scale.hi(), tick_count, scale.log());
  for (const double value : values) {
    const double x = scale(value);
    out += fmt::format("<path class=\"tick\" d=\"M{} {}v4\"/>", coord(x), coord(area.bottom));
    out += text_at(x, area.bottom + 16, label_of(value, values, axis), "tl mid");
  }
  out += fmt::format("<path class=\"axis\" d=\"M{} {}H{}\"/>", coord(area.left), coord(area.bottom),
                     coord(area.right));
  out += text_at((area.left + area.right) / 2, area.bottom + 33, axis.label, "al mid") + "\n";
  return out;
}

std::string draw_y_axis(const Axis& axis, const Scale& scale, const Area& area, int tick_count) {
  std::string out;
  const std::vector<double> values = ticks(scale.lo(), scale.hi(), tick_count, scale.log());
  for (const double value : values) {
    const double y = scale(value);
    out += fmt::format("<path class=\"grid\" d=\"M{} {}H{}\"/>", coord(area.left), coord(y),
                       coord(area.right));
    out += text_at(area.left - 6, y + 4, label_of(value, values, axis), "tl end");
  }
  out += text_at(4, area.top - 9, axis.label, "al") + "\n";
  return out;
}

std::vector<double> bin_counts(const std::vector<double>& values, double lo, double hi, int bins) {
  std::vector<double> counts(static_cast<std::size_t>(bins), 0.0);
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    const double place = (value - lo) / (hi - lo) * bins;
    counts[static_cast<std::size_t>(std::clamp(place, 0.0, bins - 1.0))] += 1;
  }
  return counts;
}

}  // namespace athanor::distill::report
