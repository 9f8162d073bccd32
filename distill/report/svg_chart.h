// Charts as inline SVG. Each render() gives one <svg> element with a <title> and a <desc> for
// screen readers, sized by its viewBox so that the page scales it. Colours are classes k0 ... k7
// (the palette of page_style.cpp, safe for colour-blind readers, one set each for light and dark);
// series differ in dash or position too. All text is escaped here. Values that are not finite leave
// a gap.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace athanor::distill::report {

// Colours by meaning, used through the whole page.
enum Color : int {
  kBlue = 0,   // vanilla KD; references
  kEmber = 1,  // the three-stage run
  kGreen = 2,  // the teacher; what is good
  kPurple = 3,
  kSky = 4,
  kAmber = 5,
  kGrey = 6,  // the student alone; what is neutral
  kRed = 7,   // alarms, defects
};
inline constexpr int kPaletteSize = 8;

inline constexpr double kAutomatic = std::numeric_limits<double>::quiet_NaN();
inline constexpr std::size_t kMaxLinePoints = 400;

struct Axis {
  std::string label;
  double min = kAutomatic;
  double max = kAutomatic;
  bool log = false;      // base 10; values <= 0 are left out
  bool percent = false;  // the values are shares, shown as percentages
};

struct Point {
  double x = 0;
  double y = 0;
};

// At most `limit` points: means over equal runs of neighbours. The input must be ordered by x.
std::vector<Point> downsample(const std::vector<Point>& points, std::size_t limit);

struct Series {
  std::string name;
  std::vector<Point> points;  // ordered by x
  int color = 0;
  bool dashed = false;
  bool bold = false;
  bool steps = false;  // constant between points, as a schedule is
};

// A span of x set off by shading, e.g. an alarm from raised to cleared.
struct Span {
  double from = 0;
  double to = 0;
  std::string label;
};

// A marked x with a symbol on the upper edge.
struct Marker {
  double x = 0;
  std::string label;
};

struct LineChart {
  std::string title;
  std::string description;
  Axis x;
  Axis y;
  std::vector<Series> series;
  std::vector<Span> spans;
  std::vector<Marker> markers;
  bool band = false;     // shade minimum to maximum of what a drawn point averages
  bool stacked = false;  // areas that add up; all series share their x
  double width = 460;
  double height = 250;
};
std::string render(const LineChart& chart);

// Columns stacked over equal bins.
struct HistogramSeries {
  std::string name;
  std::vector<double> values;
  int color = 0;
};
struct Histogram {
  std::string title;
  std::string description;
  Axis x;  // min and max required
  Axis y;
  std::vector<HistogramSeries> series;
  int bins = 40;
  double width = 460;
  double height = 250;
};
std::string render(const Histogram& chart);

// One small histogram a row over a common axis, each scaled to its own peak: shapes and places
// compare, heights do not.
struct RidgeRow {
  std::string name;
  std::vector<double> values;
  int color = 0;
};
struct RidgeChart {
  std::string title;
  std::string description;
  Axis x;  // min and max required
  std::vector<RidgeRow> rows;
  int bins = 32;
  double width = 320;
};
std::string render(const RidgeChart& chart);

// Horizontal bars of one or more segments.
struct BarSegment {
  double value = 0;
  int color = 0;
  std::string name;  // shown on hover
};
struct BarRow {
  std::string label;
  std::vector<BarSegment> segments;
  std::string note;  // text after the bar
  bool bold = false;
};
struct BarChart {
  std::string title;
  std::string description;
  Axis x;
  std::vector<BarRow> rows;
  double label_width = 130;
  double note_width = 80;
  double width = 460;
};
std::string render(const BarChart& chart);

// A confusion matrix: rows are true classes, columns predictions; a cell's shade is its share of
// the row, its text the count. Right answers and mistakes have different hues.
struct HeatMap {
  std::string title;
  std::string description;
  std::vector<std::string> classes;
  std::vector<std::vector<double>> counts;  // [classes][classes]
  double width = 460;
};
std::string render(const HeatMap& chart);

struct GraphNode {
  double x = 0;
  double y = 0;
  int cluster = -1;  // -1: noise
  std::string label;
};
struct ChartEdge {
  std::size_t from = 0;
  std::size_t to = 0;
  double weight = 1;
};
struct GraphChart {
  std::string title;
  std::string description;
  std::vector<GraphNode> nodes;
  std::vector<ChartEdge> edges;
  std::size_t max_nodes = 1500;  // beyond: a fixed random part
  std::size_t max_edges = 6000;  // beyond: the heaviest
  double width = 960;
  double height = 620;
};
std::string render(const GraphChart& chart);

}  // namespace athanor::distill::report
