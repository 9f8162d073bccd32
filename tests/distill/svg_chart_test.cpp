// Charts: markup is well-formed whatever the data and text, and drawn places follow the data.
#include "distill/report/svg_chart.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <string>

#include "distill/report/html.h"
#include "distill/report/svg_frame.h"
#include "tests/distill/well_formed.h"

using namespace athanor;
using namespace athanor::distill::report;

namespace {

const std::string kHostile = "<script>&\"'\x01\xff";
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

void check_svg(const std::string& svg) {
  INFO(svg.substr(0, 2000));
  CHECK(xml_problem(svg) == "");
  CHECK(svg.starts_with("<svg "));
  CHECK(svg.find("<title>") != std::string::npos);
  CHECK(svg.find("<desc>") != std::string::npos);
  CHECK(svg.find("<script") == std::string::npos);
  CHECK(svg.find("nan") == std::string::npos);
  CHECK(svg.find("inf") == std::string::npos);
}

}  // namespace

TEST_CASE("bytes within a page are base64 (RFC 4648, section 10)") {
  CHECK(data_uri("text/plain", "") == "data:text/plain;base64,");
  CHECK(data_uri("text/plain", "f") == "data:text/plain;base64,Zg==");
  CHECK(data_uri("text/plain", "fo") == "data:text/plain;base64,Zm8=");
  CHECK(data_uri("text/plain", "foobar") == "data:text/plain;base64,Zm9vYmFy");
  CHECK(data_uri("image/png", "\xff\xfb\xf0") == "data:image/png;base64,//vw");
}

TEST_CASE("the check for well-formed markup can fail", "[svg]") {
  CHECK(xml_problem("<a b=\"1\"><c/>x &amp; y</a>") == "");
  for (const char* bad : {"<a>", "<a></b>", "<a b=1/>", "<a b=\"1\" b=\"2\"/>", "x & y",
                          "<a b=\"<\"/>", "</a>", "<a"}) {
    INFO(bad);
    CHECK(xml_problem(bad) != "");
  }
}

TEST_CASE("text is escaped", "[svg]") {
  CHECK(escape("a<b & \"c\"'>") == "a&lt;b &amp; &quot;c&quot;&#39;&gt;");
  CHECK(escape("Zürich 猫") == "Zürich 猫");
  CHECK(escape(std::string("\x01", 1)) == "\xEF\xBF\xBD");
  CHECK(escape("\xc0\xaf") == "\xEF\xBF\xBD\xEF\xBF\xBD");                  // overlong '/'
  CHECK(escape("\xe2\x82") == "\xEF\xBF\xBD\xEF\xBF\xBD");                  // cut short
  CHECK(escape("\xed\xa0\x80") == "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");  // surrogate
}

TEST_CASE("numbers are written for people", "[svg]") {
  CHECK(format_number(0.8524) == "0.852");
  CHECK(format_number(50890) == "50,890");
  CHECK(format_number(kNan) == "n/a");
  CHECK(format_percent(0.3804) == "38.0%");
  CHECK(format_signed(1.24, 1) == "+1.2");
  CHECK(format_signed(-0.3, 1) ==
        "\xE2\x88\x92"
        "0.3");
  CHECK(format_signed(-0.01, 1) ==
        "\xC2\xB1"
        "0.0");
  CHECK(format_seconds(75.2) == "1 min 15 s");
  CHECK(format_seconds(4.21) == "4.2 s");
  CHECK(coord(3.04) == "3");
  CHECK(coord(-0.01) == "0");
  CHECK(readable_name("baseline:vanilla_kd") == "vanilla KD");
  CHECK(readable_name("without:refine") == "without refine");
}

TEST_CASE("ticks are round and inside the range", "[svg]") {
  CHECK(ticks(0, 1, 5) == std::vector<double>{0, 0.2, 0.4, 0.6000000000000001, 0.8, 1});
  CHECK(ticks(0, 60, 6) == std::vector<double>{0, 10, 20, 30, 40, 50, 60});
  CHECK(ticks(3, 3, 5) == std::vector<double>{3});
  for (const double tick : ticks(0.013, 7.7, 5, true)) {
    CHECK(tick >= 0.013 * (1 - 1e-9));
    CHECK(tick <= 7.7 * (1 + 1e-9));
  }
  CHECK(tick_label(0.2, 0.2, false) == "0.2");
  CHECK(tick_label(0.2, 0.2, true) == "20%");
  CHECK(tick_label(50000, 10000, false) == "50k");
}

TEST_CASE("downsampling keeps the mean and the limit", "[svg]") {
  std::vector<Point> points;
  for (int i = 0; i < 1000; ++i) points.push_back({double(i), double(i % 2)});
  const auto few = downsample(points, 100);
  REQUIRE(few.size() == 100);
  for (const Point& p : few) CHECK(p.y == 0.5);
  CHECK(few.front().x == 4.5);
  CHECK(downsample({{1, 2}}, 100).size() == 1);
  CHECK(downsample({}, 100).empty());
}

TEST_CASE("line charts stay well-formed and short", "[svg]") {
  LineChart chart;
  chart.title = chart.description = chart.x.label = chart.y.label = kHostile;
  Series s{kHostile, {}, kBlue};
  for (int i = 0; i < 20000; ++i) s.points.push_back({double(i), std::sin(i * 0.01)});
  chart.series = {s};
  chart.spans = {{100, 200, kHostile}};
  chart.markers = {{100, kHostile}};
  for (const bool band : {false, true}) {
    chart.band = band;
    const std::string svg = render(chart);
    check_svg(svg);
    CHECK(count(svg, "class=\"band") == (band ? 1 : 0));
    CHECK(svg.size() < 24000);  // 400 points of at most 12 characters, thrice, and the frame
  }
  chart.series = {{"gap", {{0, 1}, {1, kNan}, {2, 3}}, 0}, {"none", {}, 1}, {"one", {{1, 1}}, 2}};
  check_svg(render(chart));
  chart.series = {{"log", {{0, 0}, {1, 1e-3}, {2, 1e3}}, 0}};
  chart.y.log = true;
  check_svg(render(chart));
}

TEST_CASE("a schedule is drawn with its exact steps", "[svg]") {
  LineChart chart;
  Series s{"T", {}, 0, false, false, true};
  for (int i = 0; i < 2820; ++i)
    s.points.push_back({double(i), i < 940 ? 5.0 : i < 1880 ? 2.0 : 1.0});
  chart.series = {s};
  chart.y.min = 0;
  const std::string svg = render(chart);
  const std::size_t from = svg.find("class=\"line");
  const std::string path = svg.substr(from, svg.find("/>", from) - from);
  CHECK(count(path, "L") == 3);  // two steps down and the last point, nothing in between
}

TEST_CASE("stacked areas fill the height when they add up to one", "[svg]") {
  LineChart chart;
  chart.stacked = true;
  chart.y = {"share", 0, 1};
  chart.series = {{"a", {{0, 0.7}, {1, 0.2}}, 0}, {"b", {{0, 0.3}, {1, 0.8}}, 1}};
  const std::string svg = render(chart);
  check_svg(svg);
  CHECK(count(svg, "class=\"area") == 2);
  CHECK(svg.find("d=\"M46 26L448 26L") != std::string::npos);  // the upper edge of b
}

TEST_CASE("bars, histograms and ridges", "[svg]") {
  check_svg(render(BarChart{
      kHostile, kHostile, {kHostile}, {{kHostile, {{3, 0, kHostile}, {kNan, 1, ""}}, kHostile}}}));
  check_svg(render(BarChart{"t", "d", {"x"}, {}}));
  Histogram histogram;
  histogram.title = kHostile;
  histogram.x = {"x", 0, 1};
  histogram.series = {{kHostile, {0.1, 0.1, 0.95, kNan, 7}, 0}, {"b", {}, 1}};
  check_svg(render(histogram));
  RidgeChart ridge;
  ridge.x = {"x", 0, 1};
  ridge.rows = {{kHostile, {0.1, 0.5}, 0}, {"empty", {}, 1}};
  check_svg(render(ridge));
  const auto counts = bin_counts({0, 0.1, 0.99, 1.0, -3, kNan}, 0, 1, 10);
  CHECK(counts == std::vector<double>{2, 1, 0, 0, 0, 0, 0, 0, 0, 2});
}

TEST_CASE("a heat map shades the share of the row", "[svg]") {
  HeatMap chart;
  chart.classes = {kHostile, "b"};
  chart.counts = {{25, 75}, {0, 0}};
  const std::string svg = render(chart);
  check_svg(svg);
  CHECK(count(svg, "<rect") == 4);
  CHECK(svg.find("class=\"right\" fill-opacity=\"0.50\"") != std::string::npos);  // sqrt(0.25)
  CHECK(svg.find("class=\"wrong\" fill-opacity=\"0.87\"") != std::string::npos);  // sqrt(0.75)
}

TEST_CASE("a graph is thinned out without losing classes", "[svg]") {
  GraphChart chart;
  chart.title = kHostile;
  for (int i = 0; i < 4000; ++i) {
    chart.nodes.push_back({std::cos(i * 0.1) * (i % 10), std::sin(i * 0.3), i % 10 - 1,
                           "label" + std::to_string(i % 10)});
    if (i > 0) chart.edges.push_back({std::size_t(i - 1), std::size_t(i), 0.5});
  }
  chart.nodes[5].label = kHostile;
  const std::string svg = render(chart);
  check_svg(svg);
  CHECK(count(svg, "class=\"node k") == 9);
  const std::size_t symbols = count(svg, "<circle") + count(svg, "<path d=");
  CHECK(symbols == chart.max_nodes);
  check_svg(render(GraphChart{"one", "", {{1, 1, 0, ""}}, {}}));
  check_svg(render(GraphChart{"none", "", {}, {}}));
}
