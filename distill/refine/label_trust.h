// Features 4, 9, 10 and 12: what class probabilities say about the labels given. Probabilities are
// [N, C] f32 or f64, of models that did not learn from the record's own label; a row that starts
// with NaN is unknown and gives not-applicable values.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace athanor::distill {

// Row-major doubles [rows, classes]; the form in which this folder works on probabilities.
struct ProbabilityTable {
  std::int64_t rows = 0, classes = 0;
  std::vector<double> values;

  const double* row(std::int64_t i) const { return values.data() + i * classes; }
  bool known(std::int64_t i) const { return row(i)[0] == row(i)[0]; }
};

// Throws unless p is [rows, classes >= 2], each known row in [0, 1] with sum 1 within 1e-3.
ProbabilityTable to_probability_table(const Tensor& p, std::int64_t rows);

// (p_y - max over k != y of p_k + 1) / 2.
std::vector<double> label_margins(const ProbabilityTable& p, std::span<const std::int64_t> labels);

// (1 - H(p) / ln C) p_y: high when the model is sure and agrees.
std::vector<double> label_agreements(const ProbabilityTable& p,
                                     std::span<const std::int64_t> labels);

// EL2N = |p - onehot(y)|_2 (Paul et al. 2021), in [0, sqrt 2].
std::vector<double> el2n_scores(const ProbabilityTable& p, std::span<const std::int64_t> labels);

// Row-major [C, C]: T[k, y] = P(label y given | true class k), estimated from the records in `rows`
// by EM: r_i(k) ~ p_i(k) T[k, y_i], starting at r = p, `iterations` times; 0.1 is added to each
// cell, rows are normalised.
std::vector<double> estimate_noise_matrix(const ProbabilityTable& p,
                                          std::span<const std::int64_t> labels,
                                          std::span<const std::int64_t> rows, int iterations = 5);

// A noise matrix for each slice of the records (spans of time, sources), so that labels that went
// wrong in one of them do not cast doubt on the others.
struct SlicedNoise {
  std::int64_t classes = 0, slices = 1;
  std::vector<double> matrix;  // [slices, C, C]
  // By how much each class is more frequent than p says, 1 unless asked for.
  std::vector<double> share;

  const double* of(std::int64_t slice) const { return matrix.data() + slice * classes * classes; }
};
struct NoiseOptions {
  double shrink = 20;  // records a class by which a slice is drawn towards the matrix of all
  int iterations = 20;
  // Records a class by which the matrix of all is drawn towards equal rows: the share of right
  // labels that all classes have together, wrong ones spread evenly. A rare class, most of whose
  // labels are other classes' errors, says little of its own row.
  double equal_rows = 0;
  // Whether the classes' shares are estimated, too: models that learned from labels give a rare
  // class the share of its labels, wrong ones included.
  bool shares = false;
};
// As above for each slice; `slice`: one in [0, slices) a record.
SlicedNoise estimate_sliced_noise(const ProbabilityTable& p, std::span<const std::int64_t> labels,
                                  std::span<const std::int64_t> rows,
                                  std::span<const std::int64_t> slice, std::int64_t slices,
                                  const NoiseOptions& options = {});
// p with each class's probability times its factor, normalised.
ProbabilityTable with_shares(const ProbabilityTable& p, std::span<const double> share);
// Mean ln P(label given) of `rows` under the model: sum over k of p_k T_s[k, y].
double mean_log_likelihood(const ProbabilityTable& p, std::span<const std::int64_t> labels,
                           std::span<const std::int64_t> rows, std::span<const std::int64_t> slice,
                           const SlicedNoise& noise);
// Each row to the power `exponent`, normalised: above 1 a model that is too unsure becomes surer.
ProbabilityTable sharpened(const ProbabilityTable& p, double exponent);
// P(class | model, label) as of class_posteriors(), each record by its slice's matrix.
ProbabilityTable sliced_class_posteriors(const ProbabilityTable& p,
                                         std::span<const std::int64_t> labels,
                                         std::span<const std::int64_t> slice,
                                         const SlicedNoise& noise);

// Probability that the label given is right: p_y T[y, y] / sum over k of p_k T[k, y].
std::vector<double> label_posteriors(const ProbabilityTable& p,
                                     std::span<const std::int64_t> labels,
                                     std::span<const double> noise_matrix);

// Probabilities of the true class given model and label, row-major [rows, C]:
// p_k T[k, y] / sum over j of p_j T[j, y]; 1 / C where that sum is 0, NaN for an unknown row.
std::vector<double> class_posteriors(const ProbabilityTable& p,
                                     std::span<const std::int64_t> labels,
                                     std::span<const double> noise_matrix);

// Confident joint (Northcutt et al. 2021): 1 when the most probable class among those k with p_k >=
// mean of p_k over the records labelled k is not the label given.
std::vector<char> confident_joint_flags(const ProbabilityTable& p,
                                        std::span<const std::int64_t> labels);

}  // namespace athanor::distill
