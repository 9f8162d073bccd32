// What models' answers and the labels given say together about the true classes of a table.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "distill/refine/label_trust.h"
#include "distill/refine/table_records.h"

namespace athanor::distill {

// Up to 4 spans of time with equally many records each, and one of records without a stamp: one
// number in [0, count) a record.
struct TimeSlices {
  std::vector<std::int64_t> of;
  std::int64_t count = 1;
};
TimeSlices time_slices(const std::vector<double>& times);  // NaN = no stamp

// Powers to which answers may be raised before they are weighed against the labels.
inline constexpr double kExponents[] = {.25, .35, .5, .7, 1, 1.4};

struct Weighed {
  double likelihood = -std::numeric_limits<double>::infinity();  // mean, of the labels given
  double exponent = 1;
  ProbabilityTable p, posterior;  // [records, classes]: the answers to that power, and with labels
};

class LabelWeighing {
 public:
  // `group` tells copies, `sound` records whose labels the noise matrices are estimated from.
  // `records` must outlive this.
  LabelWeighing(const TableRecords& records, const std::vector<std::int64_t>& group,
                const std::vector<char>& sound);

  // p to the power `exponent` and with the classes' shares estimated; a noise matrix for each span
  // of time; one posterior for all sound copies of each other, from the labels of all of them.
  Weighed weigh(const ProbabilityTable& p, double exponent) const;
  // With the power under which the labels, which the models of p have not seen, are likeliest.
  Weighed search(const ProbabilityTable& p) const;

 private:
  void join(const std::vector<std::int64_t>& copies, Weighed& w, const SlicedNoise& noise) const;

  const std::vector<std::int64_t>& labels_;
  const TimeSlices slices_;
  std::vector<std::int64_t> rows_;
  std::vector<std::vector<std::int64_t>> copies_;  // groups of two sound labelled records or more
};

// a b^power, normalised.
ProbabilityTable product_of(const ProbabilityTable& a, const ProbabilityTable& b, double power);

// Geometric mean of tables of one shape, normalised; unknown rows stay unknown.
class MeanOfLogs {
 public:
  void add(const ProbabilityTable& p);
  ProbabilityTable mean() const;

 private:
  ProbabilityTable sum_;
  double count_ = 0;
};

}  // namespace athanor::distill
