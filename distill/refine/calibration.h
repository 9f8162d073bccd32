// How often what a probability is given to is so.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace athanor::distill {

// Cases whose scores lie in one tenth of [0, 1].
struct CalibrationBin {
  std::int64_t records = 0;
  double score = 0, good = 0;  // mean score, share that is good; NaN without records
};

class Calibration {
 public:
  Calibration();
  void add(double score, bool good);
  std::vector<CalibrationBin> bins() const;  // ten, by score

 private:
  std::vector<CalibrationBin> sum_;
};

// Mean |score - good| over the records of ten such bins (Guo et al. 2017).
double calibration_error(const std::vector<CalibrationBin>& bins);

// A figure of a page: a line for each part, and the diagonal.
struct CalibrationLine {
  std::string name;
  int color = 0;
  std::vector<CalibrationBin> bins;
};
struct CalibrationChart {
  std::string caption, title, description, x, y;
  std::vector<CalibrationLine> lines;
};
std::string render(const CalibrationChart& chart);

}  // namespace athanor::distill
