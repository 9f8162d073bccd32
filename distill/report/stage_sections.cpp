// Stage 2, the graph, and stage 3, the controllers.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "distill/report/html.h"
#include "distill/report/page.h"
#include "distill/report/sections.h"

namespace athanor::distill::report {
namespace {

using Shape = LegendEntry::Shape;

bool any_finite(const std::vector<Point>& points) {
  return std::any_of(points.begin(), points.end(),
                     [](const Point& p) { return std::isfinite(p.y); });
}

// Everything that the charts of one arm share.
struct ArmCurves {
  const LogData& log;
  std::string arm;
  Axis x;

  ArmCurves(const LogData& data, std::string name) : log(data), arm(std::move(name)) {
    x.label = step_axis(log, arm);
  }
  std::vector<Point> of(double StepEvent::*value) const { return step_series(log, arm, value); }
  LineChart chart(std::string title, std::string description, Axis y) const {
    LineChart c;
    c.title = std::move(title);
    c.description = std::move(description);
    c.x = x;
    c.y = std::move(y);
    return c;
  }
  // Where a step stands on the x axis: at the last logged step that is not after it.
  double place_of(std::int64_t step) const {
    double place = 0;
    for (const StepEvent& e : log.steps) {
      if (e.run != arm) continue;
      if (e.step > step) break;
      place = x.label == "epoch" ? e.epoch : static_cast<double>(e.step);
    }
    return place;
  }
};

std::string temperature_figure(const ArmCurves& curves) {
  LineChart chart = curves.chart(
      "Temperature", "Temperature of the distillation loss over training", {"temperature T", 0});
  chart.series = {{"T", curves.of(&StepEvent::temperature), kEmber, false, true, true}};
  if (!any_finite(chart.series[0].points)) return "";
  return figure("Temperature of the distillation loss", render(chart));
}

std::string bound_figure(const ArmCurves& curves) {
  LineChart bound = curves.chart("Error bound", "The bound epsilon and the divergence D it bounds",
                                 {"mean squared difference", 0});
  bound.series = {{"D", curves.of(&StepEvent::d), kEmber, false, true},
                  {"epsilon", curves.of(&StepEvent::epsilon), kBlue, true}};
  if (!any_finite(bound.series[0].points) && !any_finite(bound.series[1].points)) return "";
  LineChart multiplier =
      curves.chart("Multiplier", "Lambda, the price of leaving the bound", {"multiplier λ", 0});
  multiplier.series = {{"lambda", curves.of(&StepEvent::lambda), kPurple}};
  multiplier.height = 170;
  std::string body = legend({{"D, student against teacher", kEmber, Shape::line},
                             {"bound ε", kBlue, Shape::dashed}}) +
                     render(bound);
  if (any_finite(multiplier.series[0].points)) body += render(multiplier);
  return figure("The error bound and what it did", body);
}

std::string clip_figure(const ArmCurves& curves) {
  LineChart clip = curves.chart("Clip rate", "Share of recent steps whose gradient was clipped",
                                {"clip rate", 0, kAutomatic, false, true});
  clip.series = {{"clip rate", curves.of(&StepEvent::clip_rate), kBlue}};
  clip.band = true;
  LineChart rate =
      curves.chart("Learning rate", "Learning rate over training", {"learning rate", 0});
  rate.series = {{"learning rate", curves.of(&StepEvent::lr), kEmber}};
  rate.height = 170;
  std::string body;
  if (any_finite(clip.series[0].points)) body += render(clip);
  if (any_finite(rate.series[0].points)) body += render(rate);
  return body.empty() ? "" : figure("Clipping, linked with the learning rate", body);
}

std::string mix_figure(const ArmCurves& curves) {
  LineChart chart = curves.chart("Sampling mix", "Shares of a batch by pool, stacked to 100%",
                                 {"share of a batch", 0, 1, false, true});
  chart.stacked = true;
  chart.series = {{"high diversity", {}, kSky}, {"high quality", {}, kGreen}, {"hard", {}, kAmber}};
  double SamplingMix::*const shares[] = {&SamplingMix::high_diversity, &SamplingMix::high_quality,
                                         &SamplingMix::hard};
  for (const StepEvent& e : curves.log.steps) {
    if (e.run != curves.arm || !std::isfinite(e.mix.high_quality)) continue;
    const double at = curves.x.label == "epoch" ? e.epoch : static_cast<double>(e.step);
    for (int i = 0; i < 3; ++i) {
      const double share = e.mix.*shares[i];
      chart.series[static_cast<std::size_t>(i)].points.push_back(
          {at, std::isfinite(share) ? share : 0.0});
    }
  }
  if (chart.series[0].points.empty()) return "";
  return figure("What a batch is drawn from",
                legend({{"high diversity", kSky}, {"high quality", kGreen}, {"hard", kAmber}}) +
                    render(chart));
}

std::string alarm_figure(const ArmCurves& curves) {
  LineChart chart = curves.chart("Compensation signal",
                                 "Delta L over training; alarms are marked and shaded", {"ΔL"});
  chart.series = {{"delta L", curves.of(&StepEvent::delta_l), kBlue}};
  chart.band = true;
  chart.width = 960;
  chart.height = 280;
  if (!any_finite(chart.series[0].points)) return "";
  const double end = curves.place_of(std::numeric_limits<std::int64_t>::max());
  for (const AlarmEvent& alarm : curves.log.alarms) {
    if (alarm.run != curves.arm && !alarm.run.empty()) continue;
    const double at = curves.place_of(alarm.step);
    if (alarm.raised) {
      const std::string label =
          "alarm at step " + format_count(alarm.step) + ": " + readable_name(alarm.dominant);
      chart.spans.push_back({at, end, label});
      chart.markers.push_back({at, label});
    } else if (!chart.spans.empty()) {
      chart.spans.back().to = at;
    }
  }
  std::map<std::string, int> actions;
  for (const ActionEvent& action : curves.log.actions) {
    if (action.run == curves.arm || action.run.empty()) ++actions[action.kind];
  }
  std::string text = fmt::format("Alarms raised: {}.", chart.markers.size());
  if (!actions.empty()) {
    text += " Actions taken:";
    for (const auto& [kind, count] : actions) {
      text += fmt::format("{} {} × {}", text.back() == ':' ? "" : ",", escape(readable_name(kind)),
                          count);
    }
    text += ".";
  }
  return figure("The compensation signal ΔL",
                legend({{"ΔL (mean; shaded: range)", kBlue, Shape::line}, {"alarm", kRed}}) +
                    render(chart) + sentence(text),
                "wide");
}

}  // namespace

std::string restructure_section(const RunFiles& run) {
  constexpr const char* kHeading = "Stage 2: the knowledge graph";
  if (!run.graph) {
    return section("restructure", kHeading, "",
                   absent("restructure/graph.json is absent: stage 2 was switched off, or the run "
                          "ended before it."));
  }
  const GraphData& graph = *run.graph;
  if (graph.nodes.empty()) {
    return section("restructure", kHeading, "", absent("restructure/graph.json holds no node."));
  }
  GraphChart chart;
  chart.title = "Knowledge graph in two dimensions";
  chart.description =
      fmt::format("{} records in {} clusters, {} of them noise; lines join neighbours",
                  graph.nodes.size(), graph.clusters, graph.noise);
  chart.nodes = graph.nodes;
  chart.edges = graph.edges;
  std::string text = fmt::format(
      "{} nodes, {} edges, {} clusters, {} nodes in none. Colour and symbol: cluster; text: its "
      "commonest label and that label’s share; hollow: noise.",
      format_count(static_cast<std::int64_t>(graph.nodes.size())),
      format_count(static_cast<std::int64_t>(graph.edges.size())), format_count(graph.clusters),
      format_count(graph.noise));
  if (graph.nodes.size() > chart.max_nodes) {
    text += fmt::format(" At most {} nodes are drawn.",
                        format_count(static_cast<std::int64_t>(chart.max_nodes)));
  }
  return section(
      "restructure", kHeading,
      "Records as the teacher sees them, joined to their nearest neighbours and grouped "
      "by density; two dimensions of many, so distances are only a hint.",
      figure("Records, neighbours and clusters", render(chart) + sentence(text), "wide"));
}

std::string control_section(const RunFiles& run) {
  constexpr const char* kHeading = "Stage 3: how training was controlled";
  if (!run.log) {
    return section("control", kHeading, "",
                   absent("log.jsonl is absent, so there is nothing to draw."));
  }
  std::string arm = controlled_run(*run.log);
  if (arm.empty()) {
    const std::vector<std::string> runs = run.log->runs();
    if (std::find(runs.begin(), runs.end(), "student") != runs.end()) arm = "student";
  }
  const ArmCurves curves(*run.log, arm);
  const std::string figures = bound_figure(curves) + clip_figure(curves) +
                              temperature_figure(curves) + mix_figure(curves) +
                              alarm_figure(curves);
  if (figures.empty()) {
    return section("control", kHeading, "",
                   absent("The log holds no controlled step: stage 3 was switched off, or the run "
                          "ended before it."));
  }
  return section("control", kHeading,
                 "Curves of the run “" + escape(readable_name(arm)) +
                     "”. Long series are drawn as means of neighbouring steps; a shaded band is "
                     "their range.",
                 grid(figures));
}

}  // namespace athanor::distill::report
