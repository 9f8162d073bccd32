// Linear discriminant analysis in folds, learned from soft labels.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "distill/refine/label_trust.h"
#include "tensor/tensor.h"

namespace athanor::distill {

// Gaussian classes with one covariance (Fisher 1936), shrunk towards a multiple of the identity.
// Labels that went wrong at random move the means of the classes together but hardly turn the
// directions between them, which is why this learns better from bad labels than a model that is
// fitted to each of them.
class DiscriminantFolds {
 public:
  // x f32 [n, d]; records of one `group` share one of `folds` folds; `weight` >= 0 is what a record
  // teaches.
  DiscriminantFolds(const Tensor& x, std::span<const std::int64_t> group,
                    std::span<const float> weight, int folds, std::uint64_t seed);

  // Class probabilities of each record by the models of the folds that it is not in, learned from
  // `targets` [n, classes]; an unknown row teaches nothing. shrink in (0, 1].
  ProbabilityTable out_of_fold(const ProbabilityTable& targets, double shrink) const;

 private:
  struct Fold {
    std::vector<std::int64_t> rows;
    Tensor x, second;  // f64 [rows, d], weighted sum of x x' f64 [d, d]
  };
  std::int64_t n_, d_;
  std::vector<float> weight_;
  std::vector<Fold> fold_;
  Tensor second_;  // of all folds
};

}  // namespace athanor::distill
