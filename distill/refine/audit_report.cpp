// The page of `athanor audit --report`.
#include <fmt/format.h>

#include "distill/refine/audit.h"
#include "distill/refine/feature_values.h"
#include "distill/report/html.h"
#include "distill/report/page.h"
#include "distill/report/svg_chart.h"
#include "tensor/base/version.h"

namespace athanor::distill {
namespace {

using namespace report;

std::string selections(const Audit& a) {
  std::string out =
      "<div class=\"panel\"><table><thead><tr><th></th><th>kept</th><th>effective share</th>"
      "<th>retention</th></tr></thead><tbody>";
  out += fmt::format("<tr><th>all records, or a random part</th><td></td><td>{}</td><td></td></tr>",
                     format_fixed(a.effective_before, 3));
  for (const auto& [name, q] :
       {std::pair("checks alone", &a.free_checks), std::pair("selected", &a.selected),
        std::pair("at retention 0.95", &a.at_95)}) {
    out += fmt::format("<tr><th>{}</th><td>{}</td><td>{}</td><td>{}</td></tr>", name,
                       format_count(q->kept), format_fixed(q->effective_share, 3),
                       format_fixed(q->retention, 3));
  }
  return out + "</tbody></table></div>\n";
}

std::string calibration(const Audit& a) {
  return render(CalibrationChart{"Calibration of the score",
                                 "Calibration of the score",
                                 "Share of good records by score, in tenths.",
                                 "score",
                                 "share that is good",
                                 {{"score", kBlue, a.calibration}}});
}

std::string kinds(const Audit& a) {
  BarChart bars;
  bars.title = "Removed of each kind";
  bars.description = "Share of the planted defects of each kind that was removed.";
  bars.x = {"share removed", 0, 1, false, true};
  for (const KindAudit& kind : a.kinds) {
    const std::string name(name_of(kind.recall.kind));
    bars.rows.push_back(
        {name,
         {{kind.recall.recall, kGreen, "removed"}},
         fmt::format("{} of {}, AUROC {}", format_percent(kind.recall.recall),
                     format_count(kind.recall.planted), format_fixed(kind.auroc, 3))});
  }
  bars.note_width = 190;
  bars.width = 560;
  return figure("Removed of each kind", report::render(bars));
}

std::string columns(const Audit& a) {
  BarChart bars;
  bars.title = "AUROC of each column alone";
  bars.description = "How well each column alone tells good records from the others; 0.5: not.";
  bars.x = {"AUROC", 0, 1};
  for (const auto& [name, value] : a.auroc_of) {
    if (!is_applicable(value)) continue;
    bars.rows.push_back({readable_name(name),
                         {{value, name == "score" ? kEmber : kBlue, name}},
                         format_fixed(value, 3),
                         name == "score"});
  }
  return figure("AUROC of each column alone", report::render(bars));
}

}  // namespace

std::string render_audit_report(const std::vector<std::pair<std::string, Audit>>& audits) {
  std::string page = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>Audit · Athanor</title>\n<style>{}</style></head>\n<body><main>\n"
      "<header class=\"top\"><span class=\"brand\">Athanor · audit</span><span class=\"facts\">"
      "version {}</span></header>\n",
      page_style(), kVersion);
  for (std::size_t k = 0; k < audits.size(); ++k) {
    const auto& [name, a] = audits[k];
    const std::string lead = fmt::format(
        "Against what was planted: the score tells good records from the others with AUROC {}, "
        "average precision {}, calibration error {}.",
        format_fixed(a.auroc, 3), format_fixed(a.auprc, 3), format_fixed(a.ece, 3));
    page += section(fmt::format("audit{}", k), name, lead,
                    selections(a) + grid(calibration(a) + kinds(a) + columns(a)));
  }
  return page +
         "<footer>Made by <code>athanor audit</code>; the page loads nothing from elsewhere."
         "</footer>\n</main></body></html>\n";
}

}  // namespace athanor::distill
