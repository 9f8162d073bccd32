// What several sections ask of the log and the summary.
#include <algorithm>
#include <cmath>
#include <limits>

#include "distill/report/sections.h"

namespace athanor::distill::report {

Fields summary_of(const RunFiles& run) {
  static const Json kEmpty = Json::object();
  return {run.summary ? *run.summary : kEmpty, (run.dir / "summary.json").string()};
}

std::string controlled_run(const LogData& log) {
  std::string first;
  for (const StepEvent& e : log.steps) {
    if (!std::isfinite(e.epsilon)) continue;
    if (e.run == "student") return e.run;
    if (first.empty()) first = e.run;
  }
  return first;
}

double active_share(const LogData& log, const std::string& run) {
  std::vector<double> lambdas;
  for (const StepEvent& e : log.steps) {
    if (e.run == run && std::isfinite(e.lambda)) lambdas.push_back(e.lambda);
  }
  if (lambdas.empty()) return kMissing;
  const double floor = *std::min_element(lambdas.begin(), lambdas.end());
  const auto above = std::count_if(lambdas.begin(), lambdas.end(), [floor](double lambda) {
    return lambda > floor + 1e-9 * std::max(1.0, std::abs(floor));
  });
  return static_cast<double>(above) / static_cast<double>(lambdas.size());
}

std::string step_axis(const LogData& log, const std::string& run) {
  const bool epochs = std::any_of(log.steps.begin(), log.steps.end(), [&run](const StepEvent& e) {
    return e.run == run && std::isfinite(e.epoch);
  });
  return epochs ? "epoch" : "step";
}

std::vector<Point> step_series(const LogData& log, const std::string& run,
                               double StepEvent::*value) {
  const bool epochs = step_axis(log, run) == "epoch";
  std::vector<Point> out;
  for (const StepEvent& e : log.steps) {
    if (e.run != run) continue;
    out.push_back({epochs ? e.epoch : static_cast<double>(e.step), e.*value});
  }
  return out;
}

}  // namespace athanor::distill::report
