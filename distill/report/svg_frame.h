// What the charts share: scales, ticks, axes and the opening and closing of the <svg> element.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "distill/report/svg_chart.h"

namespace athanor::distill::report {

// Maps [lo, hi] of the data to [from, to] in pixels.
class Scale {
 public:
  Scale(double lo, double hi, double from, double to, bool log = false);
  double operator()(double value) const;
  double lo() const { return lo_; }
  double hi() const { return hi_; }
  bool log() const { return log_; }
  // Whether the value has a place: finite, and positive on a log scale.
  bool shows(double value) const;

 private:
  double lo_, hi_, from_, to_;
  bool log_;
};

// Round tick values in [lo, hi], about `count` of them: steps of 1, 2 or 5 times a power of ten; on
// a log axis powers of ten, with 2 and 5 when there are few.
std::vector<double> ticks(double lo, double hi, int count, bool log = false);

// The label of a tick; `step` is the distance to the next one and sets the decimals.
std::string tick_label(double value, double step, bool percent);

// Widens [lo, hi] to an axis range: explicit limits win, an empty range gets some height, linear
// ranges are rounded out to ticks.
struct Range {
  double lo;
  double hi;
};
Range axis_range(const Axis& axis, double data_lo, double data_hi, int tick_count);

// The plotting area inside the picture.
struct Area {
  double left;
  double top;
  double right;
  double bottom;
};

std::string open_svg(double width, double height, std::string_view title,
                     std::string_view description, std::string_view css_class = "");
inline constexpr std::string_view kCloseSvg = "</svg>\n";

std::string text_at(double x, double y, std::string_view text, std::string_view css_class,
                    std::string_view extra_attributes = "");

// Grid lines, tick labels and axis labels; the y label stands above the axis, not turned.
std::string draw_x_axis(const Axis& axis, const Scale& scale, const Area& area, int tick_count);
std::string draw_y_axis(const Axis& axis, const Scale& scale, const Area& area, int tick_count);

// Counts of the finite values in `bins` equal bins over [lo, hi]; values outside count at the ends.
std::vector<double> bin_counts(const std::vector<double>& values, double lo, double hi, int bins);

}  // namespace athanor::distill::report
