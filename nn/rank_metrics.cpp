// The metrics of nn/metrics.h that compare numbers or texts rather than classes.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "nn/metrics.h"
#include "tensor/ops/copy.h"

namespace athanor::nn {
namespace {

std::vector<double> values_of(const char* metric, const Tensor& x) {
  if (x.rank() != 1 || x.numel() < 2) {
    fail(metric, "expected [N] with N >= 2, got ", describe(x));
  }
  return cast(x, DType::f64).to_vector<double>();
}

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const double n = static_cast<double>(a.size());
  const double mean_a = std::accumulate(a.begin(), a.end(), 0.0) / n;
  const double mean_b = std::accumulate(b.begin(), b.end(), 0.0) / n;
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean_a) * (b[i] - mean_b);
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
  }
  return ab / std::sqrt(aa * bb);
}

// Ranks from 1; equal values share the mean of theirs.
std::vector<double> ranks_of(const std::vector<double>& x) {
  std::vector<std::size_t> order(x.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return x[i] < x[j]; });
  std::vector<double> ranks(x.size());
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin;
    while (end < order.size() && x[order[end]] == x[order[begin]]) ++end;
    for (std::size_t i = begin; i < end; ++i) {
      ranks[order[i]] = static_cast<double>(begin + end + 1) / 2;
    }
    begin = std::max(end, begin + 1);
  }
  return ranks;
}

void check_pair(const char* metric, const Tensor& a, const Tensor& b) {
  if (a.shape() == b.shape()) return;
  fail(metric, "expected equal shapes, got ", describe(a), " and ", describe(b));
}

}  // namespace

double pearson(const Tensor& a, const Tensor& b) {
  check_pair("pearson", a, b);
  return correlation(values_of("pearson", a), values_of("pearson", b));
}

double spearman(const Tensor& a, const Tensor& b) {
  check_pair("spearman", a, b);
  return correlation(ranks_of(values_of("spearman", a)), ranks_of(values_of("spearman", b)));
}

double auroc(const Tensor& scores, const Tensor& actual) {
  check_pair("auroc", scores, actual);
  const std::vector<double> ranks = ranks_of(values_of("auroc", scores));
  const auto labels = actual.to_vector<std::int64_t>();
  double positive = 0, rank_sum = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] != 0 && labels[i] != 1) {
      fail("auroc", "expected classes 0 and 1, got ", labels[i], " at ", i);
    }
    if (labels[i] == 0) continue;
    ++positive;
    rank_sum += ranks[i];
  }
  const double negative = static_cast<double>(labels.size()) - positive;
  if (positive == 0 || negative == 0) fail("auroc", "expected both classes, got one");
  return (rank_sum - positive * (positive + 1) / 2) / (positive * negative);
}

double exact_match(const std::vector<std::string>& predicted,
                   const std::vector<std::string>& actual) {
  if (predicted.empty() || predicted.size() != actual.size()) {
    fail("exact_match", "expected as many answers as questions, at least one, got ",
         predicted.size(), " and ", actual.size());
  }
  std::int64_t equal = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) equal += predicted[i] == actual[i];
  return static_cast<double>(equal) / static_cast<double>(actual.size());
}

double perplexity(double mean_loss) { return std::exp(mean_loss); }

}  // namespace athanor::nn
