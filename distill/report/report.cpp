#include "distill/report/report.h"

#include <fmt/format.h>

#include "distill/report/html.h"
#include "distill/report/page.h"
#include "distill/report/run_files.h"
#include "distill/report/sections.h"
#include "tensor/io/atomic_file.h"

namespace athanor::distill {

std::string render_report(const std::filesystem::path& run_dir) {
  using namespace report;
  const RunFiles run = read_run_files(run_dir);
  const std::string name = run_dir.has_filename() ? run_dir.filename().string()
                                                  : run_dir.parent_path().filename().string();
  std::string page = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{} · Athanor</title>\n<style>{}</style></head>\n<body><main>\n",
      escape(name), page_style());
  page += headline(run);
  page +=
      "<nav aria-label=\"Sections\"><a href=\"#results\">Every arm</a><a href=\"#refine\">1 "
      "Refinement</a><a href=\"#restructure\">2 Knowledge graph</a><a href=\"#control\">3 "
      "Control</a><a href=\"#int8\">INT8</a><a href=\"#training\">Learning curves</a><a "
      "href=\"#confusion\">Confusions</a>"
      "<a href=\"#time\">Time</a></nav>\n";
  page += results_section(run);
  page += refine_section(run);
  page += restructure_section(run);
  page += control_section(run);
  page += int8_section(run);
  page += training_section(run);
  page += confusion_section(run);
  page += time_section(run);
  page +=
      "<footer>Made by <code>athanor report</code> from the files of the run directory; the page "
      "loads nothing from elsewhere.</footer>\n</main></body></html>\n";
  return page;
}

std::filesystem::path write_report(const std::filesystem::path& run_dir) {
  const std::string page = render_report(run_dir);
  const std::filesystem::path path = run_dir / "report.html";
  write_file_atomically(path, page);
  return path;
}

}  // namespace athanor::distill
