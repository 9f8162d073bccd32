#include "distill/report/page.h"

#include <fmt/format.h>

#include "distill/report/html.h"

namespace athanor::distill::report {

std::string section(std::string_view id, std::string_view heading, std::string_view lead,
                    std::string_view body) {
  return fmt::format("<section id=\"{}\"><h2>{}</h2>\n<p class=\"lead\">{}</p>\n{}</section>\n", id,
                     escape(heading), lead, body);
}

std::string absent(std::string_view text) {
  return fmt::format("<p class=\"absent\">{}</p>\n", escape(text));
}

std::string legend(const std::vector<LegendEntry>& entries) {
  std::string out = "<ul class=\"legend\">";
  for (const LegendEntry& e : entries) {
    const char* shape = e.shape == LegendEntry::Shape::box    ? "box"
                        : e.shape == LegendEntry::Shape::line ? "rule"
                                                              : "rule dashed";
    out += fmt::format("<li><i class=\"{} k{}\"></i>{}</li>", shape, e.color, escape(e.name));
  }
  return out + "</ul>\n";
}

std::string figure(std::string_view caption, std::string_view body, std::string_view css_class) {
  return fmt::format("<figure{}><figcaption>{}</figcaption>\n{}</figure>\n",
                     css_class.empty() ? "" : fmt::format(" class=\"{}\"", css_class),
                     escape(caption), body);
}

std::string grid(std::string_view figures, std::string_view css_class) {
  return fmt::format("<div class=\"{}\">\n{}</div>\n", css_class, figures);
}

std::string sentence(std::string_view html) {
  return fmt::format("<p class=\"says\">{}</p>\n", html);
}

}  // namespace athanor::distill::report
