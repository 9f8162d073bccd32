// Confusion matrices.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "distill/report/html.h"
#include "distill/report/svg_chart.h"
#include "distill/report/svg_frame.h"

namespace athanor::distill::report {
namespace {

constexpr std::size_t kMaxNumberedClasses = 16;  // beyond, cells are too small for their numbers
constexpr std::size_t kMaxNamedClasses = 40;

std::string short_name(const std::string& name) {
  constexpr std::size_t kLongest = 12;
  return name.size() <= kLongest ? name : name.substr(0, kLongest - 1) + "\xE2\x80\xA6";
}

}  // namespace

std::string render(const HeatMap& chart) {
  const std::size_t n = chart.classes.size();
  const bool named = n <= kMaxNamedClasses;
  const double left = named ? 88 : 30;
  const double cell = (chart.width - left - 8) / static_cast<double>(std::max<std::size_t>(n, 1));
  const double top = 6;
  const double bottom = top + cell * static_cast<double>(n);
  const double height = bottom + (named ? 82 : 30);

  std::string out = open_svg(chart.width, height, chart.title, chart.description, "heat");
  for (std::size_t i = 0; i < n; ++i) {
    double total = 0;
    for (std::size_t j = 0; j < n; ++j) total += chart.counts[i][j];
    const double y = top + cell * static_cast<double>(i);
    if (named) out += text_at(left - 6, y + cell / 2 + 4, short_name(chart.classes[i]), "tl end");
    for (std::size_t j = 0; j < n; ++j) {
      const double count = chart.counts[i][j];
      const double share = total > 0 ? count / total : 0;
      const double x = left + cell * static_cast<double>(j);
      // The square root lifts rare mistakes out of the background.
      out += fmt::format(
          "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" class=\"{}\" fill-opacity=\"{:.2f}\">"
          "<title>{} taken for {}: {} ({})</title></rect>",
          coord(x + 0.5), coord(y + 0.5), coord(cell - 1), coord(cell - 1),
          i == j ? "right" : "wrong", std::sqrt(share), escape(chart.classes[i]),
          escape(chart.classes[j]), format_count(std::llround(count)), format_percent(share));
      if (n <= kMaxNumberedClasses && count > 0) {
        out += text_at(x + cell / 2, y + cell / 2 + 4, std::to_string(std::llround(count)),
                       share > 0.4 ? "cell mid on" : "cell mid");
      }
    }
    out += "\n";
  }
  for (std::size_t j = 0; named && j < n; ++j) {
    const double x = left + cell * (static_cast<double>(j) + 0.5) + 4;
    out += text_at(x, bottom + 12, short_name(chart.classes[j]), "tl end",
                   fmt::format("transform=\"rotate(-45 {} {})\"", coord(x), coord(bottom + 12)));
  }
  out += text_at((left + chart.width) / 2, height - 4, "predicted class", "al mid");
  out += text_at(11, (top + bottom) / 2, "true class", "al mid",
                 fmt::format("transform=\"rotate(-90 11 {})\"", coord((top + bottom) / 2)));
  return out.append(kCloseSvg);
}

}  // namespace athanor::distill::report
