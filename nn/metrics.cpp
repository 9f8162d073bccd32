#include "nn/metrics.h"

#include <algorithm>
#include <cmath>

#include "tensor/ops/copy.h"

namespace athanor::nn {

ConfusionMatrix confusion_matrix(const Tensor& predicted, const Tensor& actual,
                                 std::int64_t classes) {
  if (!(predicted.shape() == actual.shape()) || predicted.rank() != 1) {
    fail("confusion_matrix", "expected two [N] tensors, got ", describe(predicted), " and ",
         describe(actual));
  }
  const auto p = predicted.to_vector<std::int64_t>(), a = actual.to_vector<std::int64_t>();
  const auto k = static_cast<std::size_t>(classes);
  ConfusionMatrix counts(k, std::vector<std::int64_t>(k, 0));
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (p[i] < 0 || p[i] >= classes || a[i] < 0 || a[i] >= classes) {
      fail("confusion_matrix", "expected classes in [0, ", classes, "), got ", p[i], " and ", a[i],
           " at ", i);
    }
    ++counts[static_cast<std::size_t>(a[i])][static_cast<std::size_t>(p[i])];
  }
  return counts;
}

double accuracy(const ConfusionMatrix& counts) {
  std::int64_t right = 0, all = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    right += counts[i][i];
    for (std::int64_t n : counts[i]) all += n;
  }
  return all ? static_cast<double>(right) / static_cast<double>(all) : 0;
}

double macro_f1(const ConfusionMatrix& counts) {
  double total = 0;
  int present = 0;
  for (std::size_t k = 0; k < counts.size(); ++k) {
    std::int64_t actual = 0, predicted = 0;
    for (std::size_t j = 0; j < counts.size(); ++j) {
      actual += counts[k][j];
      predicted += counts[j][k];
    }
    if (actual + predicted == 0) continue;
    total += 2.0 * static_cast<double>(counts[k][k]) / static_cast<double>(actual + predicted);
    ++present;
  }
  return present ? total / present : 0;
}

double micro_f1(const ConfusionMatrix& counts, const std::vector<std::int64_t>& classes) {
  std::int64_t right = 0, decisions = 0;  // decisions: predicted + actual = 2 TP + FP + FN
  const auto add_class = [&](std::size_t k) {
    right += counts[k][k];
    for (std::size_t j = 0; j < counts.size(); ++j) decisions += counts[k][j] + counts[j][k];
  };
  for (std::int64_t k : classes) {
    if (k < 0 || k >= static_cast<std::int64_t>(counts.size())) {
      fail("micro_f1", "expected classes in [0, ", counts.size(), "), got ", k);
    }
    add_class(static_cast<std::size_t>(k));
  }
  for (std::size_t k = 0; classes.empty() && k < counts.size(); ++k) add_class(k);
  return decisions ? 2.0 * static_cast<double>(right) / static_cast<double>(decisions) : 0;
}

double matthews_correlation(const ConfusionMatrix& counts) {
  double total = 0, right = 0, cross = 0, actual_squares = 0, predicted_squares = 0;
  for (std::size_t k = 0; k < counts.size(); ++k) {
    double actual = 0, predicted = 0;
    for (std::size_t j = 0; j < counts.size(); ++j) {
      actual += static_cast<double>(counts[k][j]);
      predicted += static_cast<double>(counts[j][k]);
    }
    total += actual;
    right += static_cast<double>(counts[k][k]);
    cross += actual * predicted;
    actual_squares += actual * actual;
    predicted_squares += predicted * predicted;
  }
  const double spread =
      std::sqrt((total * total - predicted_squares) * (total * total - actual_squares));
  return spread > 0 ? (right * total - cross) / spread : 0;
}

Tensor predicted_classes(const Tensor& scores) {
  if (scores.rank() != 2 || scores.size(1) < 1) {
    fail("predicted_classes", "expected scores [N, K], got ", describe(scores));
  }
  const std::int64_t N = scores.size(0), K = scores.size(1);
  const Tensor rows = contiguous(cast(scores, DType::f64));
  const double* s = rows.data<double>();
  Tensor classes = empty({N}, DType::i64);
  std::int64_t* out = classes.data<std::int64_t>();
  for (std::int64_t i = 0; i < N; ++i) {
    out[i] = std::max_element(s + i * K, s + (i + 1) * K) - (s + i * K);
  }
  return classes;
}

double expected_calibration_error(const Tensor& probabilities, const Tensor& actual, int bins) {
  const Tensor classes = predicted_classes(probabilities);
  const std::int64_t N = probabilities.size(0), K = probabilities.size(1);
  if (actual.rank() != 1 || actual.size(0) != N || bins < 1) {
    fail("expected_calibration_error", "expected actual [", N, "] and bins >= 1, got ",
         describe(actual), " and ", bins);
  }
  const auto p = cast(probabilities, DType::f64).to_vector<double>();
  const auto y = actual.to_vector<std::int64_t>(), c = classes.to_vector<std::int64_t>();
  std::vector<double> confidence(static_cast<std::size_t>(bins), 0), right = confidence;
  for (std::int64_t i = 0; i < N; ++i) {
    const auto row = static_cast<std::size_t>(i);
    const double top = p[static_cast<std::size_t>(i * K + c[row])];
    const int bin = std::clamp(static_cast<int>(top * bins), 0, bins - 1);
    confidence[static_cast<std::size_t>(bin)] += top;
    right[static_cast<std::size_t>(bin)] += c[row] == y[row];
  }
  double total = 0;
  for (std::size_t b = 0; b < confidence.size(); ++b) total += std::abs(confidence[b] - right[b]);
  return N ? total / static_cast<double>(N) : 0;
}

}  // namespace athanor::nn
