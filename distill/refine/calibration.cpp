#include "distill/refine/calibration.h"

#include <algorithm>
#include <cmath>

#include "distill/refine/feature_values.h"
#include "distill/report/page.h"
#include "distill/report/svg_chart.h"

namespace athanor::distill {
namespace {

constexpr int kBins = 10;

}  // namespace

Calibration::Calibration() : sum_(kBins) {}

void Calibration::add(double score, bool good) {
  CalibrationBin& bin = sum_[std::clamp(static_cast<int>(score * kBins), 0, kBins - 1)];
  ++bin.records;
  bin.score += score;
  bin.good += good;
}

std::vector<CalibrationBin> Calibration::bins() const {
  std::vector<CalibrationBin> bins = sum_;
  for (CalibrationBin& bin : bins) {
    bin.score = bin.records > 0 ? bin.score / static_cast<double>(bin.records) : kNotApplicable;
    bin.good = bin.records > 0 ? bin.good / static_cast<double>(bin.records) : kNotApplicable;
  }
  return bins;
}

double calibration_error(const std::vector<CalibrationBin>& bins) {
  double error = 0, records = 0;
  for (const CalibrationBin& bin : bins) {
    if (bin.records == 0) continue;
    error += static_cast<double>(bin.records) * std::abs(bin.score - bin.good);
    records += static_cast<double>(bin.records);
  }
  return error / std::max(records, 1.);
}

std::string render(const CalibrationChart& chart) {
  using report::LegendEntry;
  using Shape = LegendEntry::Shape;
  constexpr const char* kDiagonal = "as sure as right";
  report::LineChart lines;
  lines.title = chart.title;
  lines.description = chart.description;
  lines.x = {chart.x, 0, 1};
  lines.y = {chart.y, 0, 1};
  lines.series = {{kDiagonal, {{0, 0}, {1, 1}}, report::kGrey, true}};
  std::vector<LegendEntry> key;
  for (const CalibrationLine& line : chart.lines) {
    report::Series series{line.name, {}, line.color};
    for (const CalibrationBin& bin : line.bins) {
      if (bin.records > 0) series.points.push_back({bin.score, bin.good});
    }
    lines.series.push_back(std::move(series));
    key.push_back({line.name, line.color, Shape::line});
  }
  key.push_back({kDiagonal, report::kGrey, Shape::dashed});
  return report::figure(chart.caption, report::legend(key) + report::render(lines));
}

}  // namespace athanor::distill
