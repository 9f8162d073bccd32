// The HTML around the charts: sections, figures, legends, tables, and the style sheet.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace athanor::distill::report {

// The style sheet: two colour schemes, layout down to a phone's width.
std::string_view page_style();

// <section> with a heading and a lead paragraph; `lead` and `body` are HTML.
std::string section(std::string_view id, std::string_view heading, std::string_view lead,
                    std::string_view body);

// What a section says when its file is not there; plain text.
std::string absent(std::string_view text);

struct LegendEntry {
  std::string name;
  int color = 0;
  enum class Shape { box, line, dashed } shape = Shape::box;
};
std::string legend(const std::vector<LegendEntry>& entries);

// <figure> with a caption above; `caption` is plain text, `body` (legend, one or more charts) HTML.
// `css_class`: "" for a column of the grid, "wide" for its whole width.
std::string figure(std::string_view caption, std::string_view body,
                   std::string_view css_class = "");

// Figures side by side where there is room.
std::string grid(std::string_view figures, std::string_view css_class = "grid");

// <p class="says">: a plain sentence under a chart; HTML.
std::string sentence(std::string_view html);

}  // namespace athanor::distill::report
