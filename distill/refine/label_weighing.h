// What models' answers and the labels given say together about the true classes of a table.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "distill/refine/label_task.h"

namespace athanor::distill {

// Up to 4 spans of time with equally many records each, `least` of them or more, and one of records
// without a stamp: one number in [0, count) a record.
struct TimeSlices {
  std::vector<std::int64_t> of;
  std::int64_t count = 1;
};
// `times`: NaN = no stamp.
TimeSlices time_slices(const std::vector<double>& times, std::int64_t least = 100);

// Powers to which answers may be raised before they are weighed against the labels, each about
// sqrt(2) times the one before.
inline constexpr double kExponents[] = {.25, .35, .5, .7, 1, 1.4};
// Of models elsewhere, which may be regularised as strongly as their maker liked.
inline constexpr double kExponentsOfGiven[] = {.25, .35, .5, .7, 1, 1.4, 2, 2.8, 4};

// Whether there are so few classes (32) that rounds of learning and a search for powers are cheap:
// the noise matrices of more take their time.
bool few_classes(const LabelTask& task);

struct Weighed {
  double likelihood = -std::numeric_limits<double>::infinity();  // mean, of the labels given
  double exponent = 1;
  ProbabilityTable p, posterior;  // [records, classes]: the answers to that power, and with labels
};

class LabelWeighing {
 public:
  // Noise matrices are estimated from the sound ones of the records to judge. `task` must outlive
  // this.
  explicit LabelWeighing(const LabelTask& task);

  // p to the power `exponent` and with the classes' shares estimated; a noise matrix for each span
  // of time, of records that have copies and of those that have none where there are 100 of either
  // (what is written down twice is right more often, or less); one posterior for all sound copies
  // of each other, from the labels of all of them; of a verified record the class that is vouched
  // for, which counts in the matrices, too.
  Weighed weigh(const ProbabilityTable& p, double exponent) const;
  // With the power under which the labels, which the models of p have not seen, are likeliest, of
  // those given and then of two that lie half a step from the best; labels of verified records
  // count as the true classes that they are.
  Weighed search(const ProbabilityTable& p, std::span<const double> exponents = kExponents) const;
  // The same of a b^power, with the likeliest power; a as it is where none is likelier than that.
  Weighed with_second_view(Weighed a, const ProbabilityTable& b) const;

 private:
  void tell_copies_apart();
  void join(const std::vector<std::int64_t>& copies, Weighed& w, const SlicedNoise& noise) const;
  // Known rows of verified records become certain.
  void settle(ProbabilityTable& p) const;
  double likelihood(const ProbabilityTable& p, const SlicedNoise& noise) const;

  const LabelTask& task_;
  TimeSlices slices_;
  std::vector<std::int64_t> rows_;    // that the noise matrices are estimated from
  std::vector<std::int64_t> unsure_;  // those of them that nobody vouches for
  std::vector<std::int64_t> verified_;
  std::vector<std::vector<std::int64_t>> copies_;  // groups of two sound labelled records or more
};

// a b^power, normalised; where one is unknown the other as it is.
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
