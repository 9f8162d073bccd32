// Lines, bands and stacked areas over a common x.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "distill/report/html.h"
#include "distill/report/svg_chart.h"
#include "distill/report/svg_frame.h"

namespace athanor::distill::report {
namespace {

struct Bounds {
  double lo = std::numeric_limits<double>::infinity();
  double hi = -std::numeric_limits<double>::infinity();
  void add(double value) {
    lo = std::min(lo, value);
    hi = std::max(hi, value);
  }
};

bool shown(double value, const Axis& axis) {
  return std::isfinite(value) && (!axis.log || value > 0);
}

struct Bucket {
  Point mean;
  double lo = 0;
  double hi = 0;
};

// Equal runs of neighbours, at most `limit`; a bucket without a finite y has mean.y = NaN.
std::vector<Bucket> buckets_of(const std::vector<Point>& points, std::size_t limit) {
  const std::size_t count = std::min(points.size(), std::max<std::size_t>(limit, 1));
  std::vector<Bucket> out;
  out.reserve(count);
  for (std::size_t b = 0; b < count; ++b) {
    const std::size_t begin = b * points.size() / count;
    const std::size_t end = (b + 1) * points.size() / count;
    Bounds y;
    double sum_x = 0;
    double sum_y = 0;
    int finite = 0;
    for (std::size_t i = begin; i < end; ++i) {
      sum_x += points[i].x;
      if (!std::isfinite(points[i].y)) continue;
      y.add(points[i].y);
      sum_y += points[i].y;
      ++finite;
    }
    const double mean_x = sum_x / static_cast<double>(end - begin);
    const double mean_y = finite ? sum_y / finite : std::numeric_limits<double>::quiet_NaN();
    out.push_back({{mean_x, mean_y}, y.lo, y.hi});
  }
  return out;
}

// "M..L..", a new M after each gap.
std::string line_path(const std::vector<Point>& points, const Scale& x, const Scale& y,
                      bool steps) {
  std::string path;
  bool pen_down = false;
  for (const Point& p : points) {
    if (!x.shows(p.x) || !y.shows(p.y)) {
      pen_down = false;
      continue;
    }
    if (pen_down && steps) path += "H" + coord(x(p.x));
    path += (pen_down ? "L" : "M") + coord(x(p.x)) + " " + coord(y(p.y));
    pen_down = true;
  }
  return path;
}

std::string band_path(const std::vector<Bucket>& buckets, const Scale& x, const Scale& y) {
  std::string upper;
  std::string lower;
  for (const Bucket& b : buckets) {
    if (!x.shows(b.mean.x) || !y.shows(b.mean.y) || !y.shows(b.lo)) continue;
    const std::string at = coord(x(b.mean.x)) + " ";
    upper += (upper.empty() ? "M" : "L") + at + coord(y(b.hi));
    lower.insert(0, "L" + at + coord(y(b.lo)));
  }
  return upper.empty() ? upper : upper + lower + "Z";
}

// Where a schedule changes, and its last point: exact, unlike means of neighbours.
std::vector<Point> changes_of(const std::vector<Point>& points) {
  std::vector<Point> out;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const bool last = i + 1 == points.size();
    if (out.empty() || last || points[i].y != out.back().y) out.push_back(points[i]);
  }
  return out;
}

// Turns shares into areas: the upper edge of each series, from the first to the last.
std::vector<Series> stack(const std::vector<Series>& series) {
  std::vector<Series> out = series;
  for (std::size_t s = 1; s < out.size(); ++s) {
    const std::size_t n = std::min(out[s].points.size(), out[s - 1].points.size());
    out[s].points.resize(n);
    for (std::size_t i = 0; i < n; ++i) out[s].points[i].y += out[s - 1].points[i].y;
  }
  return out;
}

std::string draw_stacked(const std::vector<Series>& edges, const Scale& x, const Scale& y,
                         const Area& area) {
  std::string out;
  for (std::size_t s = 0; s < edges.size(); ++s) {
    const std::vector<Point> top = downsample(edges[s].points, kMaxLinePoints);
    std::string path = line_path(top, x, y, false);
    if (path.empty()) continue;
    const std::vector<Point> below =
        s == 0 ? std::vector<Point>() : downsample(edges[s - 1].points, kMaxLinePoints);
    if (below.empty()) {
      path += "L" + coord(x(top.back().x)) + " " + coord(area.bottom) + "L" +
              coord(x(top.front().x)) + " " + coord(area.bottom);
    }
    for (auto p = below.rbegin(); p != below.rend(); ++p) {
      path += "L" + coord(x(p->x)) + " " + coord(y(p->y));
    }
    out += fmt::format("<path class=\"area k{}\" d=\"{}Z\"><title>{}</title></path>\n",
                       edges[s].color, path, escape(edges[s].name));
  }
  return out;
}

std::string draw_line(const Series& series, const LineChart& chart, const Scale& x,
                      const Scale& y) {
  const std::vector<Bucket> buckets =
      buckets_of(series.steps ? changes_of(series.points) : series.points, kMaxLinePoints);
  std::vector<Point> means;
  for (const Bucket& b : buckets) means.push_back(b.mean);
  const std::string path = line_path(means, x, y, series.steps);
  if (path.empty()) return "";
  std::string out;
  if (chart.band && buckets.size() < series.points.size()) {
    out +=
        fmt::format("<path class=\"band k{}\" d=\"{}\"/>", series.color, band_path(buckets, x, y));
  }
  out += fmt::format("<path class=\"line{}{} k{}\" d=\"{}\"><title>{}</title></path>\n",
                     series.dashed ? " dash" : "", series.bold ? " bold" : "", series.color, path,
                     escape(series.name));
  if (means.size() == 1 && x.shows(means[0].x) && y.shows(means[0].y)) {
    out += fmt::format("<circle class=\"dot k{}\" cx=\"{}\" cy=\"{}\" r=\"3\"/>", series.color,
                       coord(x(means[0].x)), coord(y(means[0].y)));
  }
  return out;
}

std::string draw_spans(const LineChart& chart, const Scale& x, const Area& area) {
  std::string out;
  for (const Span& span : chart.spans) {
    const double left = x(span.from);
    out += fmt::format(
        "<rect class=\"span\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{}</title>"
        "</rect>",
        coord(left), coord(area.top), coord(std::max(x(span.to) - left, 1.5)),
        coord(area.bottom - area.top), escape(span.label));
  }
  for (const Marker& marker : chart.markers) {
    const double at = x(marker.x);
    out += fmt::format("<path class=\"mark\" d=\"M{0} {1}l-4 -7h8z\"><title>{2}</title></path>",
                       coord(at), coord(area.top), escape(marker.label));
  }
  return out;
}

}  // namespace

std::vector<Point> downsample(const std::vector<Point>& points, std::size_t limit) {
  std::vector<Point> out;
  for (const Bucket& b : buckets_of(points, limit)) out.push_back(b.mean);
  return out;
}

std::string render(const LineChart& chart) {
  const std::vector<Series> series = chart.stacked ? stack(chart.series) : chart.series;
  Bounds x_data;
  Bounds y_data;
  if (chart.stacked) y_data.add(0);
  for (const Series& s : series) {
    for (const Point& p : s.points) {
      if (!shown(p.x, chart.x) || !shown(p.y, chart.y)) continue;
      x_data.add(p.x);
      y_data.add(p.y);
    }
  }
  const Area area{46, 26, chart.width - 12, chart.height - 42};
  const Range y_range = axis_range(chart.y, y_data.lo, y_data.hi, 5);
  const Scale y(y_range.lo, y_range.hi, area.bottom, area.top, chart.y.log);
  // Time runs from the first to the last point, not to the next round number.
  const double x_lo = std::isfinite(chart.x.min) ? chart.x.min : x_data.lo;
  const double x_hi = std::isfinite(chart.x.max) ? chart.x.max : x_data.hi;
  const bool has_width = x_hi > x_lo;
  const Scale x(has_width ? x_lo : 0, has_width ? x_hi : std::max(x_hi, 1.0), area.left, area.right,
                chart.x.log);

  std::string out = open_svg(chart.width, chart.height, chart.title, chart.description);
  out += draw_spans(chart, x, area);
  out += draw_y_axis(chart.y, y, area, 5);
  if (chart.stacked) out += draw_stacked(series, x, y, area);
  for (const Series& s : series) {
    if (!chart.stacked) out += draw_line(s, chart, x, y);
  }
  out += draw_x_axis(chart.x, x, area, 6);
  return out.append(kCloseSvg);
}

}  // namespace athanor::distill::report
