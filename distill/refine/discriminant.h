// Linear discriminant analysis in folds, learned from soft labels.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "distill/refine/label_trust.h"
#include "distill/refine/tridiagonal.h"
#include "tensor/tensor.h"

namespace athanor::distill {

// Classes with one covariance (Fisher 1936), shrunk towards a multiple of the identity; densities
// are Student's t, so that a record far from all classes belongs to none surely. Labels that went
// wrong at random move the means of the classes together but hardly turn the directions between
// them, which is why this learns better from bad labels than a model that is fitted to each of
// them.
//
// Targets and shrinkage change the covariance by as many directions as there are classes and by a
// multiple of the identity. So what is computed from the records alone is kept, for as long as
// `without` is the same: it pays to try all targets and shrinkages of one before the next. One call
// at a time.
class DiscriminantFolds {
 public:
  static constexpr double kGaussian = std::numeric_limits<double>::infinity();

  // x f32 [n, d]; records of one `group` share one of `folds` folds; `weight` >= 0 is what a record
  // teaches.
  DiscriminantFolds(const Tensor& x, std::span<const std::int64_t> group,
                    std::span<const float> weight, int folds, std::uint64_t seed,
                    double freedom = kGaussian);
  // The fold of each record as given, in [0, max + 1).
  DiscriminantFolds(const Tensor& x, const std::vector<std::int64_t>& fold,
                    std::span<const float> weight, double freedom = kGaussian);

  int folds() const { return static_cast<int>(fold_.size()); }

  // Class probabilities of each record by the models of the folds that it is not in, learned from
  // `targets` [n, classes]; an unknown row teaches nothing. shrink in (0, 1]. `without` >= 0 is a
  // fold that teaches nothing and whose records stay unknown: targets made from the others' answers
  // then hold nothing of its labels.
  ProbabilityTable out_of_fold(const ProbabilityTable& targets, double shrink,
                               int without = -1) const;
  // The rows of `fold` alone, into out [n, classes].
  void judge_fold(int fold, const ProbabilityTable& targets, double shrink,
                  ProbabilityTable& out) const;

 private:
  struct Fold {
    std::vector<std::int64_t> rows;
    Tensor x, second;  // f64 [rows, d], weighted sum of x x' f64 [d, d]
  };
  // Of each fold but one, and each class: the weight of its records, and the weighted sum of their
  // x.
  struct Sums {
    std::vector<std::vector<double>> count;  // [folds][classes]
    std::vector<Tensor> x;                   // [folds] f64 [classes, d]
  };
  void take(const Tensor& x);
  Sums sums_of(const ProbabilityTable& targets, double shrink, int without) const;
  void judge(int fold, int without, const Sums& sums, double shrink, ProbabilityTable& out) const;
  const Tridiagonal& scatter(int fold, int without) const;
  Tensor turned(int fold, int without) const;
  void keep_for(int without) const;

  std::int64_t n_, d_;
  double freedom_;
  std::vector<float> weight_;
  std::vector<Fold> fold_;
  // [folds, folds]: the sum of `second` of all folds but two, which may be the same.
  mutable std::vector<std::optional<Tridiagonal>> scatter_;
  // x of a fold in that basis, f64 [d, rows]; with no other fold left out, and with kept_for_.
  mutable std::vector<Tensor> alone_, beside_;
  mutable int kept_for_ = -1;
};

}  // namespace athanor::distill
