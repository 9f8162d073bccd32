// The INT8 student: its size and time beside the one in f32, and what rounding changed.
#include <fmt/format.h>

#include <cmath>

#include "distill/report/html.h"
#include "distill/report/page.h"
#include "distill/report/sections.h"
#include "distill/report/svg_chart.h"

namespace athanor::distill::report {
namespace {

// Two bars: the student in f32 and in INT8.
std::string pair_figure(const char* caption, const char* axis, double f32, double int8,
                        const std::string& f32_text, const std::string& int8_text) {
  if (!(f32 > 0) || !(int8 > 0)) return "";
  BarChart chart;
  chart.title = caption;
  chart.description = fmt::format("f32 {}, INT8 {}", f32_text, int8_text);
  chart.x = {axis, 0};
  chart.label_width = 60;
  chart.note_width = 110;
  chart.rows = {{"f32", {{f32, kGrey, f32_text}}, f32_text, false},
                {"INT8", {{int8, kEmber, int8_text}}, int8_text, true}};
  return figure(caption, render(chart));
}

// Per layer, the share of values that the integer engine rounds to another step.
std::string steps_figure(const Fields& int8) {
  BarChart chart;
  chart.title = "Values that the integer engine rounds to another step";
  chart.description = "One bar a layer";
  chart.x = {"share of the values", 0, kAutomatic, false, true};
  chart.label_width = 170;
  for (const Json& entry : int8.array("layers")) {
    const Fields layer(entry, int8.where(), "int8.layers[]");
    const double share = layer.number("off_share");
    const std::string most = format_number(layer.number("max_steps"));
    chart.rows.push_back({layer.required_text("name"),
                          {{share, kBlue, format_percent(share, 3)}},
                          "≤ " + most + (most == "1" ? " step" : " steps")});
  }
  if (chart.rows.empty()) return "";
  return figure("Integer engine against the rounded model, layer by layer", render(chart));
}

std::string table_row(const char* name, const Fields& f, double reference, double same, bool ours) {
  return fmt::format(
      "<tr{}><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
      ours ? " class=\"ours\"" : "", name, format_fixed(f.number("accuracy"), 4),
      std::isfinite(reference) ? format_signed(100 * (f.number("accuracy") - reference), 2) : "–",
      format_fixed(f.number("f1"), 4), std::isfinite(same) ? format_percent(same, 2) : "–");
}

std::string comparison(const Fields& student, const Fields& int8) {
  const double reference = student.number("accuracy");
  const bool tuned = int8.text("mode") != "ptq";
  std::string rows = table_row("in f32", student, kMissing, kMissing, false);
  rows += table_row(tuned ? "in INT8, fine-tuned" : "in INT8", int8, reference,
                    int8.number("agreement_f32"), true);
  if (int8.has("ptq")) {
    const Fields ptq = int8.object("ptq");
    rows +=
        table_row("in INT8, not fine-tuned", ptq, reference, ptq.number("agreement_f32"), false);
  }
  return "<div class=\"panel\"><table><thead><tr><th scope=\"col\">Three-stage student</th><th "
         "scope=\"col\">Accuracy</th><th scope=\"col\">Points</th><th scope=\"col\">Macro F1</th>"
         "<th scope=\"col\">Same class as in f32</th></tr></thead><tbody>\n" +
         rows + "</tbody></table></div>\n";
}

std::string lead(const Fields& student, const Fields& int8, const Fields& speed) {
  const double smaller = int8.number("bytes_f32") / int8.number("bytes");
  const double faster = speed.number("student_f32_ms") / speed.number("student_int8_ms");
  std::string text = "Weights and activations in 8 bits";
  if (std::isfinite(smaller)) {
    text += fmt::format(": a file {} times as small", format_number(smaller));
  }
  if (std::isfinite(faster)) {
    text += fmt::format(", answers in 1/{} of the time", format_number(faster));
  }
  const double points = 100 * (int8.number("accuracy") - student.number("accuracy"));
  if (std::isfinite(points)) {
    text += fmt::format(", accuracy {} points", format_signed(points, 2));
  }
  text += fmt::format(
      ". The integer engine chooses the class of the model that it was converted from, which "
      "rounds in f32, for {} of the images",
      format_percent(int8.number("agreement"), 2));
  const double teacher = speed.number("teacher_ms") / speed.number("student_int8_ms");
  if (std::isfinite(teacher)) {
    text += fmt::format("; the teacher takes {} ms, {} times as long",
                        format_number(speed.number("teacher_ms")), format_number(teacher));
  }
  return text + ".";
}

}  // namespace

std::string int8_section(const RunFiles& run) {
  constexpr const char* kHeading = "In 8 bits";
  const Fields summary = summary_of(run);
  if (!summary.has("int8")) {
    return section("int8", kHeading, "",
                   absent("summary.json holds no INT8 student: quantize.enabled was false, or the "
                          "run has not ended."));
  }
  const Fields int8 = summary.object("int8"), student = summary.object("student"),
               speed = summary.object("speed");
  const double f32_bytes = int8.number("bytes_f32"), bytes = int8.number("bytes");
  const double f32_ms = speed.number("student_f32_ms"), ms = speed.number("student_int8_ms");
  const std::string figures =
      pair_figure("Size of the file", "bytes", f32_bytes, bytes, format_number(f32_bytes),
                  format_number(bytes)) +
      pair_figure("Time for a batch, median", "milliseconds", f32_ms, ms,
                  format_number(f32_ms) + " ms", format_number(ms) + " ms") +
      steps_figure(int8);
  std::string says = comparison(student, int8);
  if (speed.has("batch")) {
    says += sentence(fmt::format(
        "{} images a batch on the CPU, median of {} runs that take turns with the others'.",
        format_number(speed.number("batch")), format_number(speed.number("repeats"))));
  }
  return section("int8", kHeading, lead(student, int8, speed),
                 (figures.empty() ? "" : grid(figures)) + says);
}

}  // namespace athanor::distill::report
