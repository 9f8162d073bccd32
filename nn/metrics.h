// Metrics of classifiers. They take tensors, so they hold no graph.
#pragma once

#include <string>
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

// F1 of all decisions taken together: 2 TP / (2 TP + FP + FN) over the classes named, all if empty.
// For one label a record over all classes it equals the accuracy; name the classes that matter.
double micro_f1(const ConfusionMatrix& counts, const std::vector<std::int64_t>& classes = {});
// Matthews' correlation coefficient, for any number of classes (Gorodkin 2004); 0 where it is not
// defined.
double matthews_correlation(const ConfusionMatrix& counts);

// Correlation of two lists of numbers, [N]; Spearman's is that of their ranks, ties sharing the
// mean rank. NaN where one list is constant. Throws for other shapes or N < 2.
double pearson(const Tensor& a, const Tensor& b);
double spearman(const Tensor& a, const Tensor& b);
// Area under the receiver operating characteristic: the probability that a record of class 1 has a
// larger score than one of class 0, ties counting one half. scores [N], actual i64 [N] of 0 and 1;
// throws unless both occur.
double auroc(const Tensor& scores, const Tensor& actual);
// Share of answers that are equal, byte for byte. Throws for other lengths or none.
double exact_match(const std::vector<std::string>& predicted,
                   const std::vector<std::string>& actual);
// exp of the mean negative log-likelihood in nats.
double perplexity(double mean_loss);

// Class of the largest entry in each row, the first at a tie: [N, K] floating -> i64 [N].
Tensor predicted_classes(const Tensor& scores);

// Expected calibration error: |confidence - accuracy| over `bins` equal bins of the top class's
// probability, weighted by size (Naeini et al. 2015). probabilities [N, K], actual i64 [N].
double expected_calibration_error(const Tensor& probabilities, const Tensor& actual, int bins = 15);

}  // namespace athanor::nn
