// Metrics of classifiers. They take tensors, so they hold no graph.
#pragma once

#include <vector>

#include "tensor/tensor.h"

namespace athanor::nn {

// counts[actual][predicted]
using ConfusionMatrix = std::vector<std::vector<std::int64_t>>;

// `predicted` and `actual`: i64 [N] with classes in [0, classes); throws otherwise.
ConfusionMatrix confusion_matrix(const Tensor& predicted, const Tensor& actual,
                                 std::int64_t classes);
double accuracy(const ConfusionMatrix& counts);
// Unweighted mean of the classes' F1; a class that is neither present nor predicted is left out.
double macro_f1(const ConfusionMatrix& counts);

// Class of the largest entry in each row, the first at a tie: [N, K] floating -> i64 [N].
Tensor predicted_classes(const Tensor& scores);

// Expected calibration error: |confidence - accuracy| over `bins` equal bins of the top class's
// probability, weighted by size (Naeini et al. 2015). probabilities [N, K], actual i64 [N].
double expected_calibration_error(const Tensor& probabilities, const Tensor& actual, int bins = 15);

}  // namespace athanor::nn
