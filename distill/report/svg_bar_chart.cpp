// Bars, stacked histograms and rows of small histograms.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "distill/report/html.h"
#include "distill/report/svg_chart.h"
#include "distill/report/svg_frame.h"

namespace athanor::distill::report {
namespace {

std::string rectangle(double x, double y, double width, double height, int color,
                      const std::string& title) {
  return fmt::format(
      "<rect class=\"bar k{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{}</title>"
      "</rect>",
      color, coord(x), coord(y), coord(std::max(width, 0.0)), coord(std::max(height, 0.0)),
      escape(title));
}

}  // namespace

std::string render(const Histogram& chart) {
  std::vector<std::vector<double>> counts;
  std::vector<double> totals(static_cast<std::size_t>(chart.bins), 0.0);
  for (const HistogramSeries& s : chart.series) {
    counts.push_back(bin_counts(s.values, chart.x.min, chart.x.max, chart.bins));
    for (std::size_t b = 0; b < totals.size(); ++b) totals[b] += counts.back()[b];
  }
  const Area area{46, 26, chart.width - 12, chart.height - 42};
  const Range range =
      axis_range({chart.y.label, 0}, 0, *std::max_element(totals.begin(), totals.end()), 5);
  const Scale y(range.lo, range.hi, area.bottom, area.top);
  const Scale x(chart.x.min, chart.x.max, area.left, area.right);

  std::string out = open_svg(chart.width, chart.height, chart.title, chart.description);
  out += draw_y_axis(chart.y, y, area, 5);
  const double bin_width = (chart.x.max - chart.x.min) / chart.bins;
  for (std::size_t b = 0; b < totals.size(); ++b) {
    const double from = chart.x.min + bin_width * static_cast<double>(b);
    double below = 0;
    for (std::size_t s = 0; s < counts.size(); ++s) {
      const double count = counts[s][b];
      if (count == 0) continue;
      const double top = y(below + count);
      out += rectangle(
          x(from) + 0.5, top, x(from + bin_width) - x(from) - 1, y(below) - top,
          chart.series[s].color,
          fmt::format("{}: {} in [{}, {}]", chart.series[s].name, format_count(std::llround(count)),
                      format_number(from), format_number(from + bin_width)));
      below += count;
    }
  }
  out += "\n" + draw_x_axis(chart.x, x, area, 6);
  return out.append(kCloseSvg);
}

std::string render(const RidgeChart& chart) {
  constexpr double kRowHeight = 24;
  constexpr double kPeak = 21;  // below the row height, so that no row hides its neighbour
  const double height = 10 + kRowHeight * static_cast<double>(chart.rows.size()) + 40;
  const Area area{104, 6, chart.width - 12, height - 40};
  const Scale x(chart.x.min, chart.x.max, area.left, area.right);
  const double bin_width = (chart.x.max - chart.x.min) / chart.bins;

  std::string out = open_svg(chart.width, height, chart.title, chart.description);
  for (std::size_t r = 0; r < chart.rows.size(); ++r) {
    const RidgeRow& row = chart.rows[r];
    const double base = area.top + kRowHeight * static_cast<double>(r + 1);
    const std::vector<double> counts = bin_counts(row.values, chart.x.min, chart.x.max, chart.bins);
    const double peak = std::max(*std::max_element(counts.begin(), counts.end()), 1.0);
    std::string path = "M" + coord(area.left) + " " + coord(base);
    for (std::size_t b = 0; b < counts.size(); ++b) {
      path += "V" + coord(base - kPeak * counts[b] / peak) + "H" +
              coord(x(chart.x.min + bin_width * static_cast<double>(b + 1)));
    }
    out += text_at(area.left - 8, base - 3, row.name, "tl end");
    out += fmt::format("<path class=\"grid\" d=\"M{} {}H{}\"/>", coord(area.left), coord(base),
                       coord(area.right));
    out +=
        fmt::format("<path class=\"ridge k{}\" d=\"{}V{}Z\"><title>{}: {} records</title></path>\n",
                    row.color, path, coord(base), escape(row.name),
                    format_count(static_cast<std::int64_t>(row.values.size())));
  }
  out += draw_x_axis(chart.x, x, area, 4);
  return out.append(kCloseSvg);
}

std::string render(const BarChart& chart) {
  constexpr double kRowHeight = 26;
  constexpr double kBarHeight = 16;
  double longest = 0;
  for (const BarRow& row : chart.rows) {
    double sum = 0;
    for (const BarSegment& s : row.segments) sum += std::isfinite(s.value) ? s.value : 0;
    longest = std::max(longest, sum);
  }
  const double height = 8 + kRowHeight * static_cast<double>(chart.rows.size()) + 40;
  const Area area{chart.label_width, 6, chart.width - chart.note_width, height - 40};
  Axis axis = chart.x;
  if (!std::isfinite(axis.min)) axis.min = 0;
  const Range range = axis_range(axis, 0, longest, 4);
  const Scale x(range.lo, range.hi, area.left, area.right);

  std::string out = open_svg(chart.width, height, chart.title, chart.description);
  for (const double value : ticks(range.lo, range.hi, 4)) {
    out += fmt::format("<path class=\"grid\" d=\"M{} {}V{}\"/>", coord(x(value)), coord(area.top),
                       coord(area.bottom));
  }
  for (std::size_t r = 0; r < chart.rows.size(); ++r) {
    const BarRow& row = chart.rows[r];
    const double top =
        area.top + kRowHeight * static_cast<double>(r) + (kRowHeight - kBarHeight) / 2;
    out += text_at(area.left - 8, top + 12.5, row.label, row.bold ? "tl end strong" : "tl end");
    double sum = 0;
    double from = area.left;
    for (const BarSegment& s : row.segments) {
      if (!std::isfinite(s.value) || s.value <= 0) continue;
      sum += s.value;
      out += rectangle(from, top, x(sum) - from, kBarHeight, s.color, s.name);
      from = x(sum);
    }
    out += text_at(from + 6, top + 12.5, row.note, row.bold ? "tl strong" : "tl") + "\n";
  }
  out += draw_x_axis(axis, x, area, 4);
  return out.append(kCloseSvg);
}

}  // namespace athanor::distill::report
