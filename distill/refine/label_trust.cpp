#include "distill/refine/label_trust.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "distill/refine/feature_values.h"
#include "tensor/base/error.h"
#include "tensor/ops/copy.h"

namespace athanor::distill {

ProbabilityTable to_probability_table(const Tensor& p, std::int64_t rows) {
  if (!p.defined() || p.rank() != 2 || p.size(0) != rows || p.size(1) < 2) {
    fail("to_probability_table", "expected probabilities [", rows, ", classes >= 2], got ",
         p.defined() ? describe(p) : "an undefined tensor");
  }
  ProbabilityTable table{rows, p.size(1), contiguous(cast(p, DType::f64)).to_vector<double>()};
  for (std::int64_t i = 0; i < rows; ++i) {
    if (!table.known(i)) continue;
    double sum = 0;
    for (std::int64_t k = 0; k < table.classes; ++k) {
      const double value = table.row(i)[k];
      if (!(value >= 0 && value <= 1 + 1e-3)) {
        fail("to_probability_table", "expected values in [0, 1], got ", value, " in row ", i);
      }
      sum += value;
    }
    if (std::abs(sum - 1) > 1e-3) {
      fail("to_probability_table", "expected rows with sum 1, got ", sum, " in row ", i);
    }
  }
  return table;
}

namespace {

// One value a known row: fn(probabilities, label).
template <class Fn>
std::vector<double> per_row(const ProbabilityTable& p, std::span<const std::int64_t> labels,
                            Fn&& fn) {
  std::vector<double> result(p.rows, kNotApplicable);
  for (std::int64_t i = 0; i < p.rows; ++i) {
    if (p.known(i) && labels[i] >= 0 && labels[i] < p.classes) result[i] = fn(p.row(i), labels[i]);
  }
  return result;
}

// Rows of `width` values are scaled to sum 1.
void normalise_rows(std::vector<double>& values, std::int64_t width) {
  for (auto row = values.begin(); row != values.end(); row += width) {
    const double sum = std::accumulate(row, row + width, 0.);
    for (auto cell = row; cell != row + width; ++cell) *cell /= sum;
  }
}

bool usable(const ProbabilityTable& p, std::span<const std::int64_t> labels, std::int64_t i) {
  return p.known(i) && labels[i] >= 0 && labels[i] < p.classes;
}

}  // namespace

std::vector<double> label_margins(const ProbabilityTable& p, std::span<const std::int64_t> labels) {
  return per_row(p, labels, [&](const double* row, std::int64_t y) {
    double other = 0;
    for (std::int64_t k = 0; k < p.classes; ++k) {
      if (k != y) other = std::max(other, row[k]);
    }
    return (row[y] - other + 1) / 2;
  });
}

std::vector<double> label_agreements(const ProbabilityTable& p,
                                     std::span<const std::int64_t> labels) {
  return per_row(p, labels, [&](const double* row, std::int64_t y) {
    double entropy = 0;
    for (std::int64_t k = 0; k < p.classes; ++k) {
      if (row[k] > 0) entropy -= row[k] * std::log(row[k]);
    }
    return std::max(0.0, 1 - entropy / std::log(static_cast<double>(p.classes))) * row[y];
  });
}

std::vector<double> el2n_scores(const ProbabilityTable& p, std::span<const std::int64_t> labels) {
  return per_row(p, labels, [&](const double* row, std::int64_t y) {
    double sum = 0;
    for (std::int64_t k = 0; k < p.classes; ++k) {
      const double d = row[k] - (k == y);
      sum += d * d;
    }
    return std::sqrt(sum);
  });
}

std::vector<double> estimate_noise_matrix(const ProbabilityTable& p,
                                          std::span<const std::int64_t> labels,
                                          std::span<const std::int64_t> rows, int iterations) {
  constexpr double kSmoothing = .1;
  const std::int64_t classes = p.classes;
  // Starting with r = p is the same as starting with a matrix of equal cells.
  std::vector<double> matrix(classes * classes, 1.0);
  for (int iteration = 0; iteration < std::max(1, iterations); ++iteration) {
    std::vector<double> next(classes * classes, kSmoothing);
    for (std::int64_t i : rows) {
      if (!usable(p, labels, i)) continue;
      const std::int64_t y = labels[i];
      double sum = 0;
      for (std::int64_t k = 0; k < classes; ++k) sum += p.row(i)[k] * matrix[k * classes + y];
      if (!(sum > 0)) continue;
      for (std::int64_t k = 0; k < classes; ++k) {
        next[k * classes + y] += p.row(i)[k] * matrix[k * classes + y] / sum;
      }
    }
    normalise_rows(next, classes);
    matrix = std::move(next);
  }
  return matrix;
}

std::vector<double> label_posteriors(const ProbabilityTable& p,
                                     std::span<const std::int64_t> labels,
                                     std::span<const double> noise_matrix) {
  if (std::ssize(noise_matrix) != p.classes * p.classes) {
    fail("label_posteriors", "expected a noise matrix of ", p.classes * p.classes, " cells, got ",
         noise_matrix.size());
  }
  return per_row(p, labels, [&](const double* row, std::int64_t y) {
    double sum = 0;
    for (std::int64_t k = 0; k < p.classes; ++k) sum += row[k] * noise_matrix[k * p.classes + y];
    return sum > 0 ? row[y] * noise_matrix[y * p.classes + y] / sum : 0.0;
  });
}

std::vector<double> class_posteriors(const ProbabilityTable& p,
                                     std::span<const std::int64_t> labels,
                                     std::span<const double> noise_matrix) {
  const std::int64_t C = p.classes;
  if (std::ssize(noise_matrix) != C * C) {
    fail("class_posteriors", "expected a noise matrix of ", C * C, " cells, got ",
         noise_matrix.size());
  }
  std::vector<double> out(static_cast<std::size_t>(p.rows * C), kNotApplicable);
  for (std::int64_t i = 0; i < p.rows; ++i) {
    if (!usable(p, labels, i)) continue;
    double sum = 0;
    for (std::int64_t k = 0; k < C; ++k) sum += p.row(i)[k] * noise_matrix[k * C + labels[i]];
    for (std::int64_t k = 0; k < C; ++k) {
      out[i * C + k] = sum > 0 ? p.row(i)[k] * noise_matrix[k * C + labels[i]] / sum
                               : 1 / static_cast<double>(C);
    }
  }
  return out;
}

namespace {

// Counts [C, C] plus `records` a row that all rows share; 0.1 in any case.
void draw_to_equal_rows(std::vector<double>& count, std::int64_t C, double records) {
  double right = 0;
  for (std::int64_t k = 0; k < C; ++k) right += count[k * C + k];
  const double all = std::accumulate(count.begin(), count.end(), 0.);
  const double kept = all > 0 ? right / all : 1;
  const double moved = (1 - kept) / static_cast<double>(C - 1);
  for (std::int64_t k = 0; k < C; ++k) {
    for (std::int64_t y = 0; y < C; ++y) {
      count[k * C + y] += records * (k == y ? kept : moved) + .1;
    }
  }
}

}  // namespace

SlicedNoise estimate_sliced_noise(const ProbabilityTable& p, std::span<const std::int64_t> labels,
                                  std::span<const std::int64_t> rows,
                                  std::span<const std::int64_t> slice, std::int64_t slices,
                                  const NoiseOptions& options) {
  const std::int64_t C = p.classes, cells = C * C;
  SlicedNoise noise{C, slices, std::vector<double>(static_cast<std::size_t>(slices * cells), 1.),
                    std::vector<double>(static_cast<std::size_t>(C), 1.)};
  for (int iteration = 0; iteration < std::max(1, options.iterations); ++iteration) {
    std::vector<double> count(noise.matrix.size()), pooled(static_cast<std::size_t>(cells));
    std::vector<double> said(static_cast<std::size_t>(C));  // by p
    for (const std::int64_t i : rows) {
      if (!usable(p, labels, i)) continue;
      const double* matrix = noise.of(slice[i]);
      const std::int64_t y = labels[i];
      double sum = 0;
      for (std::int64_t k = 0; k < C; ++k) sum += p.row(i)[k] * noise.share[k] * matrix[k * C + y];
      if (!(sum > 0)) continue;
      for (std::int64_t k = 0; k < C; ++k) {
        const double r = p.row(i)[k] * noise.share[k] * matrix[k * C + y] / sum;
        said[k] += p.row(i)[k];
        count[slice[i] * cells + k * C + y] += r;
        pooled[k * C + y] += r;
      }
    }
    if (options.shares) {
      for (std::int64_t k = 0; k < C; ++k) {
        const double seen = std::accumulate(&pooled[k * C], &pooled[k * C] + C, 0.);
        noise.share[k] = said[k] > 0 ? seen / said[k] : 1;
      }
    }
    draw_to_equal_rows(pooled, C, options.equal_rows);
    normalise_rows(pooled, C);
    for (std::int64_t s = 0; s < slices; ++s) {
      for (std::int64_t c = 0; c < cells; ++c) count[s * cells + c] += options.shrink * pooled[c];
    }
    normalise_rows(count, C);
    noise.matrix = std::move(count);
  }
  return noise;
}

double mean_log_likelihood(const ProbabilityTable& p, std::span<const std::int64_t> labels,
                           std::span<const std::int64_t> rows, std::span<const std::int64_t> slice,
                           const SlicedNoise& noise) {
  double sum = 0;
  std::int64_t count = 0;
  for (const std::int64_t i : rows) {
    if (!usable(p, labels, i)) continue;
    double given = 0;
    for (std::int64_t k = 0; k < p.classes; ++k) {
      given += p.row(i)[k] * noise.of(slice[i])[k * p.classes + labels[i]];
    }
    sum += std::log(std::max(given, 1e-12));
    ++count;
  }
  return count > 0 ? sum / static_cast<double>(count) : kNotApplicable;
}

ProbabilityTable with_shares(const ProbabilityTable& p, std::span<const double> share) {
  ProbabilityTable out = p;
  for (std::int64_t i = 0; i < p.rows; ++i) {
    if (!p.known(i)) continue;
    double* row = out.values.data() + i * p.classes;
    double sum = 0;
    for (std::int64_t k = 0; k < p.classes; ++k) sum += row[k] *= share[k];
    if (!(sum > 0)) {
      std::copy_n(p.row(i), p.classes, row);
      continue;
    }
    for (std::int64_t k = 0; k < p.classes; ++k) row[k] /= sum;
  }
  return out;
}

ProbabilityTable sharpened(const ProbabilityTable& p, double exponent) {
  ProbabilityTable out = p;
  for (std::int64_t i = 0; i < p.rows; ++i) {
    if (!p.known(i)) continue;
    double* row = out.values.data() + i * p.classes;
    double sum = 0;
    for (std::int64_t k = 0; k < p.classes; ++k) {
      sum += row[k] = std::pow(std::max(row[k], 1e-9), exponent);
    }
    for (std::int64_t k = 0; k < p.classes; ++k) row[k] /= sum;
  }
  return out;
}

ProbabilityTable sliced_class_posteriors(const ProbabilityTable& p,
                                         std::span<const std::int64_t> labels,
                                         std::span<const std::int64_t> slice,
                                         const SlicedNoise& noise) {
  const std::int64_t C = p.classes;
  ProbabilityTable out{p.rows, C,
                       std::vector<double>(static_cast<std::size_t>(p.rows * C), kNotApplicable)};
  for (std::int64_t i = 0; i < p.rows; ++i) {
    if (!usable(p, labels, i)) continue;
    const double* matrix = noise.of(slice[i]);
    double sum = 0;
    for (std::int64_t k = 0; k < C; ++k) {
      sum += out.values[i * C + k] = p.row(i)[k] * matrix[k * C + labels[i]];
    }
    for (std::int64_t k = 0; k < C; ++k) {
      double& value = out.values[i * C + k];
      value = sum > 0 ? value / sum : 1 / static_cast<double>(C);
    }
  }
  return out;
}

std::vector<char> confident_joint_flags(const ProbabilityTable& p,
                                        std::span<const std::int64_t> labels) {
  std::vector<double> threshold(p.classes), count(p.classes);
  for (std::int64_t i = 0; i < p.rows; ++i) {
    if (!usable(p, labels, i)) continue;
    threshold[labels[i]] += p.row(i)[labels[i]];
    ++count[labels[i]];
  }
  for (std::int64_t k = 0; k < p.classes; ++k) threshold[k] /= std::max(1.0, count[k]);
  std::vector<char> flags(p.rows);
  for (std::int64_t i = 0; i < p.rows; ++i) {
    if (!usable(p, labels, i)) continue;
    std::int64_t best = -1;
    for (std::int64_t k = 0; k < p.classes; ++k) {
      if (count[k] == 0 || p.row(i)[k] < threshold[k]) continue;
      if (best < 0 || p.row(i)[k] > p.row(i)[best]) best = k;
    }
    flags[i] = best >= 0 && best != labels[i];
  }
  return flags;
}

}  // namespace athanor::distill
