#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "distill/report/html.h"
#include "distill/report/page.h"
#include "distill/report/sections.h"
#include "distill/report/svg_frame.h"

namespace athanor::distill::report {
namespace {

struct Arm {
  std::string name;
  double accuracy = kMissing;
  double f1 = kMissing;
  double params = kMissing;
  int color = kGrey;
  bool ours = false;
};

// The four rows of the result, and INT8 when it was made.
std::vector<Arm> headline_arms(const Fields& summary) {
  const double student_params = summary.object("student").number("params");
  const auto arm = [](std::string name, const Fields& f, double params, int color) {
    return Arm{std::move(name), f.number("accuracy"), f.number("f1"), params, color};
  };
  const Fields baselines = summary.object("baselines");
  const Fields teacher = summary.object("teacher");
  std::vector<Arm> arms = {
      arm("Teacher", teacher, teacher.number("params"), kGreen),
      arm("Student alone", baselines.object("student_alone"), student_params, kGrey),
      arm("Vanilla KD", baselines.object("vanilla_kd"), student_params, kBlue),
      arm("Three-stage student", summary.object("student"), student_params, kEmber)};
  arms.back().ours = true;
  if (summary.has("int8")) {
    arms.push_back(arm("… in INT8", summary.object("int8"), student_params, kEmber));
  }
  return arms;
}

std::string gain_cell(double gain) {
  const char* css = gain > 0.0005 ? "up" : gain < -0.0005 ? "down" : "";
  return fmt::format("<td class=\"{}\">{}</td>", css, format_signed(gain * 100, 1));
}

std::string headline_table(const std::vector<Arm>& arms) {
  std::string out =
      "<div class=\"panel\"><table><thead><tr><th scope=\"col\">Model</th>"
      "<th scope=\"col\">Parameters</th><th scope=\"col\">Accuracy</th><th scope=\"col\">Macro "
      "F1</th><th scope=\"col\">Gain <span class=\"minor\">over student alone, F1 points</span>"
      "</th></tr></thead><tbody>\n";
  const double alone = arms[1].f1;
  for (const Arm& arm : arms) {
    const double width = std::isfinite(arm.f1) ? std::clamp(arm.f1, 0.0, 1.0) * 100 : 0;
    out += fmt::format(
        "<tr{}><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td class=\"meter k{}\"><span><u>"
        "<i style=\"width:{:.1f}%\"></i></u>{}</span></td>{}</tr>\n",
        arm.ours ? " class=\"ours\"" : "", escape(arm.name), format_number(arm.params),
        format_fixed(arm.accuracy, 3), arm.color, width, format_fixed(arm.f1, 3),
        &arm == &arms[1] ? "<td>–</td>" : gain_cell(arm.f1 - alone));
  }
  return out + "</tbody></table></div>\n";
}

std::string headline_sentence(const std::vector<Arm>& arms) {
  const Arm& teacher = arms[0];
  const Arm& ours = arms[3];
  const auto against = [&ours](const Arm& other) {
    const double gain = (ours.f1 - other.f1) * 100;
    const char* word = gain >= 0.05 ? "above" : gain <= -0.05 ? "below" : "level with";
    return std::string(word) == "level with"
               ? "level with"
               : fmt::format("{} points {}", format_fixed(std::abs(gain), 1), word);
  };
  std::string text = fmt::format(
      "A student of {} parameters reaches <b>macro F1 {}</b>: {} the same student alone, {} "
      "vanilla "
      "distillation",
      format_number(ours.params), format_fixed(ours.f1, 3), against(arms[1]), against(arms[2]));
  if (ours.params > 0 && teacher.params > ours.params) {
    text += fmt::format(", at 1/{} of its teacher’s size",
                        format_number(std::round(teacher.params / ours.params)));
  }
  return "<h1>" + text + ".</h1>\n";
}

std::string facts(const RunFiles& run) {
  const Fields summary = summary_of(run);
  std::vector<std::string> parts = {run.dir.filename().string()};
  if (summary.has("device")) parts.push_back(summary.text("device"));
  if (summary.has("threads"))
    parts.push_back(format_number(summary.number("threads")) + " threads");
  if (summary.has("seed")) parts.push_back("seed " + std::to_string(summary.integer("seed")));
  const double total = summary.object("seconds").number("total");
  if (std::isfinite(total)) parts.push_back(format_seconds(total));
  if (summary.has("version")) parts.push_back("version " + summary.text("version"));
  std::string text;
  for (const std::string& part : parts) {
    if (!part.empty()) text += (text.empty() ? "" : " · ") + part;
  }
  return text;
}

// Two bars: the part of the records that is effective, before and after.
std::string share_picture(double before, double after) {
  constexpr double kLeft = 52;
  constexpr double kWidth = 240;
  std::string out =
      open_svg(300, 58, "Effective share before and after refinement",
               fmt::format("before {}, after {}", format_percent(before), format_percent(after)));
  double y = 4;
  for (const auto& [label, share] : {std::pair("before", before), std::pair("after", after)}) {
    const double full = kWidth * std::clamp(share, 0.0, 1.0);
    out += text_at(kLeft - 8, y + 15, label, "tl end");
    out += fmt::format(
        "<rect class=\"track\" x=\"{0}\" y=\"{1}\" width=\"{2}\" height=\"21\" rx=\"4\"/>"
        "<rect class=\"bar k2\" x=\"{0}\" y=\"{1}\" width=\"{3}\" height=\"21\" rx=\"4\"/>",
        kLeft, y, kWidth, coord(full));
    out += text_at(kLeft + 8, y + 15, format_percent(share), "on-bar");
    y += 27;
  }
  return out.append(kCloseSvg);
}

// A gauge from guessing (0.5) to perfect (1).
std::string auc_picture(double auc) {
  constexpr double kLeft = 8;
  constexpr double kWidth = 284;
  const double share = std::clamp((auc - 0.5) * 2, 0.0, 1.0);
  std::string out = open_svg(300, 58, "AUC of the reconstructed relations",
                             "a gauge from 0.5 (guessing) to 1 (perfect): " + format_fixed(auc, 3));
  out += fmt::format(
      "<rect class=\"track\" x=\"{0}\" y=\"6\" width=\"{1}\" height=\"21\" rx=\"4\"/>"
      "<rect class=\"bar k0\" x=\"{0}\" y=\"6\" width=\"{2}\" height=\"21\" rx=\"4\"/>",
      kLeft, kWidth, coord(std::max(kWidth * share, 4.0)));
  out += text_at(kLeft + 8, 21, "AUC " + format_fixed(auc, 3), share > 0.3 ? "on-bar" : "strong");
  out += text_at(kLeft, 46, "0.5 guessing", "tl");
  out += text_at(kLeft + kWidth, 46, "1 perfect", "tl end");
  return out.append(kCloseSvg);
}

std::string sparkline(const std::vector<Point>& points, const Scale& x, const Scale& y,
                      std::string_view css_class) {
  std::string path;
  for (const Point& p : downsample(points, 120)) {
    if (!x.shows(p.x) || !y.shows(p.y)) continue;
    path += (path.empty() ? "M" : "L") + coord(x(p.x)) + " " + coord(y(p.y));
  }
  return path.empty() ? path : fmt::format("<path class=\"{}\" d=\"{}\"/>", css_class, path);
}

// The bound and what it bounds, without axes: the shape of the story.
std::string bound_picture(const LogData& log) {
  const std::string arm = controlled_run(log);
  const std::vector<Point> bound = step_series(log, arm, &StepEvent::epsilon);
  const std::vector<Point> divergence = step_series(log, arm, &StepEvent::d);
  double top = 0;
  double end = 0;
  for (const auto* series : {&bound, &divergence}) {
    for (const Point& p : downsample(*series, 120)) {
      if (!std::isfinite(p.y)) continue;
      top = std::max(top, p.y);
      end = std::max(end, p.x);
    }
  }
  if (!(top > 0) || !(end > 0)) return "";
  const Scale x(0, end, 8, 246);
  const Scale y(0, top, 50, 6);
  const auto last_y = [&y](const std::vector<Point>& points) {
    for (auto p = points.rbegin(); p != points.rend(); ++p) {
      if (std::isfinite(p->y)) return y(p->y);
    }
    return 50.0;
  };
  double bound_y = last_y(bound) + 4;
  double divergence_y = last_y(divergence) + 4;
  if (std::abs(bound_y - divergence_y) < 13) {  // keep the two letters apart
    const double middle = std::clamp((bound_y + divergence_y) / 2, 13.0, 46.0);
    const double side = bound_y <= divergence_y ? 6.5 : -6.5;
    bound_y = middle - side;
    divergence_y = middle + side;
  }
  std::string out = open_svg(300, 58, "The bound and the divergence over training",
                             "epsilon, dashed, and the divergence D that it bounds");
  out += "<path class=\"axis\" d=\"M8 50H246\"/>";
  out += sparkline(divergence, x, y, "line bold k1") + sparkline(bound, x, y, "line dash k0");
  out += text_at(252, bound_y, "bound ε", "tl") + text_at(252, divergence_y, "D", "tl strong");
  return out.append(kCloseSvg);
}

std::string refine_sentence(const Fields& refine) {
  const double before = refine.number("effective_before");
  const double after = refine.number("effective_after");
  std::string text =
      fmt::format("Kept <b>{}</b> of {} records", format_number(refine.number("kept")),
                  format_number(refine.number("total")));
  if (!std::isfinite(after)) return text + "; what is effective is not known here (no manifest).";
  text += after > before
              ? fmt::format(" and so raised the effective share from {} to <b>{}</b>",
                            format_percent(before), format_percent(after))
              : fmt::format("; no gain here: the effective share went from {} to <b>{}</b>",
                            format_percent(before), format_percent(after));
  const double retention = refine.number("retention");
  return text + (std::isfinite(retention) ? fmt::format(", losing {} of the effective records.",
                                                        format_percent(1 - retention))
                                          : ".");
}

std::string restructure_sentence(const Fields& f) {
  const double auc = f.number("relation_auc");
  const double compression = f.number("compression");
  const double fvu = f.number("fvu");
  std::string text = fmt::format("Grouped the records into <b>{} clusters</b>",
                                 format_number(f.number("clusters")));
  if (std::isfinite(compression)) {
    text += fmt::format(", squeezed their vectors {} : 1", format_number(compression));
    if (std::isfinite(fvu)) text += fmt::format(" for {} of the variance", format_percent(fvu));
  }
  if (!std::isfinite(auc)) return text + ".";
  return text + (auc > 0.55 ? fmt::format(", and tells related records from others with <b>AUC "
                                          "{}</b>.",
                                          format_fixed(auc, 3))
                            : fmt::format("; no gain here: its relations are close to guessing "
                                          "(<b>AUC {}</b>).",
                                          format_fixed(auc, 3)));
}

std::string control_sentence(const RunFiles& run, const Fields& f) {
  double active = f.number("active_share");
  if (!std::isfinite(active) && run.log) active = active_share(*run.log, controlled_run(*run.log));
  if (!std::isfinite(active)) return "The multiplier of the error bound was not logged.";
  if (active < kVacuousShare) {
    return fmt::format(
        "The error bound was <b>vacuous</b>: its multiplier left the floor in only {} of the "
        "steps, "
        "so it changed next to nothing here.",
        format_percent(active));
  }
  std::string text = fmt::format("The error bound was <b>active</b> in {} of the steps",
                                 format_percent(active, 0));
  const double violations = f.number("violations");
  if (std::isfinite(violations))
    text += fmt::format(" and violated in {}", format_percent(violations));
  const double epsilon = f.number("epsilon_final");
  if (std::isfinite(epsilon)) text += fmt::format("; it ended at ε = {}", format_number(epsilon));
  return text + ".";
}

std::string stage_card(int number, std::string_view name, const std::string& text,
                       const std::string& picture) {
  return fmt::format("<div class=\"stage\"><h3><span>{}</span>{}</h3><p>{}</p>\n{}</div>\n", number,
                     escape(name), text, picture);
}

std::string stage_cards(const RunFiles& run) {
  const Fields summary = summary_of(run);
  const std::string off = "This stage was switched off, or the run ended before it.";
  std::string out = "<div class=\"stages\">\n";
  const Fields refine = summary.object("refine");
  const double after = refine.number("effective_after");
  out += stage_card(
      1, "Refine", summary.has("refine") ? refine_sentence(refine) : off,
      std::isfinite(after) ? share_picture(refine.number("effective_before"), after) : "");
  const Fields restructure = summary.object("restructure");
  const double auc = restructure.number("relation_auc");
  out += stage_card(2, "Restructure",
                    summary.has("restructure") ? restructure_sentence(restructure) : off,
                    std::isfinite(auc) ? auc_picture(auc) : "");
  out += stage_card(3, "Control",
                    summary.has("control") ? control_sentence(run, summary.object("control")) : off,
                    run.log ? bound_picture(*run.log) : "");
  return out + "</div>\n";
}

std::string notes(const RunFiles& run) {
  std::string items;
  for (const Json& note : summary_of(run).array("notes")) {
    const std::string text = note.is_string()
                                 ? note.get<std::string>()
                                 : Fields(note, "summary.json", "notes[]").text("message");
    items += "<li>" + escape(text) + "</li>";
  }
  if (run.log && run.log->torn) {
    items +=
        "<li>The last line of log.jsonl is cut off, as a kill leaves it; it was left out.</li>";
  }
  if (items.empty()) return "";
  return "<aside class=\"notes\"><h3>In all honesty</h3><ul>" + items + "</ul></aside>\n";
}

}  // namespace

std::string headline(const RunFiles& run) {
  std::string out = fmt::format(
      "<header class=\"top\"><span class=\"brand\">Athanor · three-stage distillation</span>"
      "<span class=\"facts\">{}</span></header>\n",
      escape(facts(run)));
  if (!run.summary) {
    out += "<h1>This run has no result yet</h1>\n";
    out += absent(
        "summary.json is absent: it is written when a run ends. What the log holds so far is drawn "
        "below.");
    return out + notes(run);
  }
  const std::vector<Arm> arms = headline_arms(summary_of(run));
  return out + headline_sentence(arms) + headline_table(arms) + stage_cards(run) + notes(run);
}

}  // namespace athanor::distill::report
