// Arms, curves, confusion matrices and times.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "distill/report/html.h"
#include "distill/report/page.h"
#include "distill/report/sections.h"
#include "tensor/base/error.h"

namespace athanor::distill::report {
namespace {

using Shape = LegendEntry::Shape;

// Colour and line of an arm, the same in every chart; `other` counts the arms without a fixed
// place.
Series arm_series(const std::string& run, int& other) {
  Series s;
  s.name = readable_name(run);
  if (run == "student") {
    s.color = kEmber;
    s.bold = true;
  } else if (run == "teacher") {
    s.color = kGreen;
  } else if (s.name == "student alone") {
    s.color = kGrey;
  } else if (s.name == "vanilla KD") {
    s.color = kBlue;
  } else {
    constexpr int kOthers[] = {kPurple, kSky, kAmber, kRed, kBlue, kGreen, kGrey};
    s.color = kOthers[other % 7];
    s.dashed = other / 4 % 2 == 1;
    ++other;
  }
  return s;
}

bool is_teacher(const std::string& run) { return run.starts_with("teacher"); }

// Arms that the figures leave to the table: proxies, and the many students of an ablation.
bool is_side_arm(const std::string& run) {
  for (const char* prefix : {"proxy:", "variant:", "without:"}) {
    if (run.starts_with(prefix)) return true;
  }
  return run == "filter_alone" || run == "relation_alone";
}

std::string legend_of(const std::vector<Series>& series) {
  std::vector<LegendEntry> entries;
  for (const Series& s : series) {
    entries.push_back({s.name, s.color, s.dashed ? Shape::dashed : Shape::line});
  }
  return legend(entries);
}

// The student's curve is drawn last, above the others, and named first.
std::string curves_figure(std::string_view caption, LineChart chart) {
  std::stable_partition(chart.series.begin(), chart.series.end(),
                        [](const Series& s) { return s.bold; });
  const std::string names = legend_of(chart.series);
  std::reverse(chart.series.begin(), chart.series.end());
  return figure(caption, names + render(chart));
}

std::string validation_figure(const LogData& log) {
  LineChart chart;
  chart.title = "Validation macro F1 by epoch";
  chart.description = "One line an arm";
  chart.x = {"epoch"};
  chart.y = {"validation macro F1"};
  int other = 0;
  for (const std::string& run : log.runs()) {
    if (is_teacher(run) || is_side_arm(run)) continue;
    Series s = arm_series(run, other);
    for (const EpochEvent& e : log.epochs) {
      if (e.run == run && std::isfinite(e.val_f1)) {
        s.points.push_back({static_cast<double>(e.epoch), e.val_f1});
      }
    }
    if (!s.points.empty()) chart.series.push_back(std::move(s));
  }
  return chart.series.empty() ? "" : curves_figure("Validation F1, every arm", chart);
}

std::string loss_figure(const LogData& log, bool teacher) {
  LineChart chart;
  chart.title = teacher ? "Training loss of the teacher" : "Training loss of the students";
  chart.description =
      "Loss over training; arms minimise different losses, so heights do not compare";
  chart.y = {"training loss", kAutomatic, kAutomatic, !teacher};
  chart.band = teacher;
  int other = 0;
  for (const std::string& run : log.runs()) {
    if (is_teacher(run) != teacher || is_side_arm(run)) continue;
    Series s = arm_series(run, other);
    s.points = step_series(log, run, &StepEvent::loss);
    chart.x.label = step_axis(log, run);
    if (!s.points.empty()) chart.series.push_back(std::move(s));
  }
  if (chart.series.empty()) return "";
  return curves_figure(teacher ? "Teacher: training loss" : "Training loss, the students", chart);
}

std::string terms_figure(const LogData& log) {
  LineChart chart;
  chart.title = "Terms of the student's loss";
  chart.description = "The weighted parts that add up to the loss of the three-stage student";
  chart.x = {step_axis(log, "student")};
  chart.y = {"weighted loss term", 0};
  constexpr int kColors[] = {kBlue, kEmber, kGreen, kPurple, kAmber, kSky, kGrey, kRed};
  for (const StepEvent& e : log.steps) {
    if (e.run != "student") continue;
    for (const auto& [name, value] : e.loss_terms) {
      auto found = std::find_if(chart.series.begin(), chart.series.end(),
                                [&name](const Series& s) { return s.name == name; });
      if (found == chart.series.end()) {
        const int color = kColors[chart.series.size() % kPaletteSize];
        chart.series.push_back({name, {}, color, chart.series.size() >= kPaletteSize});
        found = chart.series.end() - 1;
      }
      const double x = chart.x.label == "epoch" ? e.epoch : static_cast<double>(e.step);
      found->points.push_back({x, value});
    }
  }
  if (chart.series.empty()) return "";
  return figure("Three-stage student: what its loss is made of",
                legend_of(chart.series) + render(chart));
}

std::vector<std::vector<double>> matrix_of(const Fields& confusion, const std::string& name) {
  const Json& rows = confusion.array(name.c_str());
  std::vector<std::vector<double>> out;
  for (const Json& row : rows) {
    if (!row.is_array() || row.size() != rows.size()) {
      raise(ErrorKind::bad_input, confusion.where(), ": expected a square matrix in \"",
            confusion.path(name), "\", got row ", out.size(), " of another length");
    }
    out.emplace_back();
    for (const Json& count : row) {
      if (!count.is_number()) confusion.wrong(name, "numbers", count);
      out.back().push_back(count.get<double>());
    }
  }
  return out;
}

std::string time_chart(const std::vector<StageTime>& stages) {
  BarChart chart;
  chart.title = "Seconds by stage";
  chart.description = "One bar a stage";
  chart.x = {"seconds"};
  chart.width = 960;
  chart.label_width = 190;
  for (const StageTime& stage : stages) {
    chart.rows.push_back({readable_name(stage.name),
                          {{stage.seconds, kEmber, format_seconds(stage.seconds)}},
                          format_seconds(stage.seconds)});
  }
  return figure("Time by stage", render(chart), "wide");
}

}  // namespace

std::string results_section(const RunFiles& run) {
  constexpr const char* kHeading = "Every arm of this run";
  const Fields summary = summary_of(run);
  if (summary.array("table").empty()) {
    return section("results", kHeading, "",
                   absent("summary.json holds no table: the run has not ended, or no arm was "
                          "evaluated."));
  }
  const std::string split = summary.has("evaluated_on")
                                ? summary.object("evaluated_on").required_text("split")
                                : std::string("test");
  BarChart chart;
  chart.title = "Macro F1 by arm";
  chart.description = "One bar an arm";
  chart.x = {split + " macro F1", 0, 1};
  chart.width = 960;
  chart.label_width = 190;
  std::string rows;
  int other = 0;
  for (const Json& entry : summary.array("table")) {
    const Fields arm(entry, summary.where(), "table[]");
    const std::string name = arm.required_text("name");
    const double f1 = arm.number("f1");
    const bool ours = name == "student";
    const Series style = arm_series(name, other);
    chart.rows.push_back(
        {style.name, {{f1, style.color, format_fixed(f1, 4)}}, format_fixed(f1, 3), ours});
    rows += fmt::format(
        "<tr{}><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td class=\"minor\">{}</td>"
        "<td class=\"minor\">{}</td><td>{}</td></tr>\n",
        ours ? " class=\"ours\"" : "", escape(style.name), format_fixed(arm.number("accuracy"), 4),
        format_fixed(f1, 4), format_number(arm.number("params")),
        format_number(arm.number("steps")), format_seconds(arm.number("seconds")));
  }
  const std::string table =
      "<div class=\"panel\"><table><thead><tr><th scope=\"col\">Arm</th><th scope=\"col\">Accuracy"
      "</th><th scope=\"col\">Macro F1</th><th scope=\"col\" class=\"minor\">Parameters</th>"
      "<th scope=\"col\" class=\"minor\">Steps</th><th "
      "scope=\"col\">Time</th></tr></thead><tbody>\n" +
      rows + "</tbody></table></div>\n";
  return section(
      "results", kHeading,
      "One run, one seed: differences below about one point are within what another seed "
      "can change.",
      grid(figure("Macro F1 on the " + escape(split) + " images", render(chart), "wide")) + table);
}

std::string training_section(const RunFiles& run) {
  constexpr const char* kHeading = "How the models learned";
  if (!run.log) {
    return section("training", kHeading, "",
                   absent("log.jsonl is absent, so there is nothing to draw."));
  }
  const std::string figures = validation_figure(*run.log) + loss_figure(*run.log, false) +
                              terms_figure(*run.log) + loss_figure(*run.log, true);
  if (figures.empty()) {
    return section("training", kHeading, "", absent("log.jsonl holds no step of training."));
  }
  return section("training", kHeading,
                 "Arms minimise different losses, so compare validation F1, not losses.",
                 grid(figures));
}

std::string confusion_section(const RunFiles& run) {
  constexpr const char* kHeading = "What is taken for what";
  const Fields summary = summary_of(run);
  const Fields confusion = summary.object("confusion");
  std::string figures;
  for (const auto& [name, unused] : confusion.json().items()) {
    HeatMap chart;
    chart.counts = matrix_of(confusion, name);
    if (chart.counts.empty()) continue;
    chart.title = "Confusion matrix of " + readable_name(name);
    chart.description = "Rows are true classes, columns predictions; shade is the share of the row";
    const Json& classes = summary.array("classes");
    for (std::size_t i = 0; i < chart.counts.size(); ++i) {
      const bool named = i < classes.size() && classes[i].is_string();
      chart.classes.push_back(named ? classes[i].get<std::string>() : std::to_string(i));
    }
    figures +=
        figure(name == "student" ? "three-stage student" : readable_name(name), render(chart));
  }
  if (figures.empty()) {
    return section("confusion", kHeading, "",
                   absent("summary.json holds no confusion matrix: the run has not ended, or the "
                          "task has no classes."));
  }
  return section("confusion", kHeading,
                 "Test set. Blue: right; orange: mistakes; the shade is the square root of the "
                 "share of the true class, so that rare mistakes show.",
                 grid(figures));
}

std::string time_section(const RunFiles& run) {
  constexpr const char* kHeading = "Where the time went";
  std::vector<StageTime> stages;
  const Fields seconds = summary_of(run).object("seconds");
  for (const auto& [name, unused] : seconds.json().items()) {
    if (name != "total") stages.push_back({name, seconds.number(name.c_str())});
  }
  if (stages.empty() && run.log) stages = run.log->stages;
  if (stages.empty()) {
    return section("time", kHeading, "",
                   absent("Neither summary.json nor log.jsonl holds the time of a stage."));
  }
  const double total = seconds.number("total");
  return section("time", kHeading,
                 std::isfinite(total) ? "In all " + format_seconds(total) + "." : "",
                 grid(time_chart(stages)));
}

}  // namespace athanor::distill::report
