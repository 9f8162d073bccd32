#include "distill/refine/discriminant.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "distill/refine/cholesky.h"
#include "distill/refine/feature_values.h"
#include "tensor/base/error.h"
#include "tensor/base/parallel.h"
#include "tensor/ops.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/matmul.h"
#include "tensor/ops/shape.h"
#include "tensor/random.h"

namespace athanor::distill {
namespace {

void add_to(Tensor& sum, const Tensor& term, double factor) {
  const Tensor t = contiguous(term);
  double* to = sum.data<double>();
  const double* from = t.data<double>();
  for (std::int64_t i = 0; i < sum.numel(); ++i) to[i] += factor * from[i];
}

}  // namespace

DiscriminantFolds::DiscriminantFolds(const Tensor& x, std::span<const std::int64_t> group,
                                     std::span<const float> weight, int folds, std::uint64_t seed,
                                     double freedom)
    : n_(x.size(0)), d_(x.size(1)), freedom_(freedom), weight_(weight.begin(), weight.end()) {
  if (folds < 2 || std::ssize(group) != n_ || std::ssize(weight) != n_) {
    fail("DiscriminantFolds", "expected folds >= 2, ", n_, " groups and weights, got ", folds, ", ",
         group.size(), ", ", weight.size());
  }
  fold_.resize(static_cast<std::size_t>(folds));
  for (std::int64_t i = 0; i < n_; ++i) {
    const auto f = philox(seed, static_cast<std::uint64_t>(group[i]), 2)[0] % unsigned(folds);
    fold_[f].rows.push_back(i);
  }
  take(x);
}

DiscriminantFolds::DiscriminantFolds(const Tensor& x, const std::vector<std::int64_t>& fold,
                                     std::span<const float> weight, double freedom)
    : n_(x.size(0)), d_(x.size(1)), freedom_(freedom), weight_(weight.begin(), weight.end()) {
  if (std::ssize(fold) != n_ || std::ssize(weight) != n_) {
    fail("DiscriminantFolds", "expected ", n_, " folds and weights, got ", fold.size(), ", ",
         weight.size());
  }
  for (std::int64_t i = 0; i < n_; ++i) {
    const auto f = static_cast<std::size_t>(fold[i]);
    if (f >= fold_.size()) fold_.resize(f + 1);
    fold_[f].rows.push_back(i);
  }
  take(x);
}

void DiscriminantFolds::take(const Tensor& x) {
  const Tensor source = contiguous(x);
  for (Fold& fold : fold_) {
    if (fold.rows.empty()) continue;
    fold.x = empty({std::ssize(fold.rows), d_}, DType::f64);
    Tensor scaled = empty({std::ssize(fold.rows), d_}, DType::f64);
    for (std::size_t r = 0; r < fold.rows.size(); ++r) {
      const float* from = source.data<float>() + fold.rows[r] * d_;
      double* to = fold.x.data<double>() + static_cast<std::int64_t>(r) * d_;
      double* by = scaled.data<double>() + static_cast<std::int64_t>(r) * d_;
      for (std::int64_t j = 0; j < d_; ++j) {
        to[j] = from[j];
        by[j] = double(from[j]) * weight_[fold.rows[r]];
      }
    }
    fold.second = contiguous(matmul(transpose(scaled), fold.x));
  }
}

DiscriminantFolds::Sums DiscriminantFolds::sums_of(const ProbabilityTable& targets,
                                                   double shrink) const {
  const std::int64_t C = targets.classes;
  if (targets.rows != n_ || !(shrink > 0 && shrink <= 1)) {
    fail("DiscriminantFolds", "expected ", n_, " targets and shrink in (0, 1], got ", targets.rows,
         " and ", shrink);
  }
  Sums sums{std::vector<std::vector<double>>(fold_.size(),
                                             std::vector<double>(static_cast<std::size_t>(C))),
            std::vector<Tensor>(fold_.size())};
  for (std::size_t f = 0; f < fold_.size(); ++f) {
    const Fold& fold = fold_[f];
    if (fold.rows.empty()) continue;
    Tensor share = zeros({std::ssize(fold.rows), C}, DType::f64);
    for (std::size_t r = 0; r < fold.rows.size(); ++r) {
      const std::int64_t i = fold.rows[r];
      if (!targets.known(i)) continue;
      for (std::int64_t k = 0; k < C; ++k) {
        const double value = targets.row(i)[k] * weight_[i];
        share.data<double>()[static_cast<std::int64_t>(r) * C + k] = value;
        sums.count[f][k] += value;
      }
    }
    sums.x[f] = contiguous(matmul(transpose(share), fold.x));
  }
  return sums;
}

void DiscriminantFolds::judge(int judged, int without, const Sums& sums, double shrink,
                              ProbabilityTable& out) const {
  const Fold& fold = fold_[judged];
  if (fold.rows.empty()) return;
  const std::int64_t C = out.classes;
  std::vector<double> learned(static_cast<std::size_t>(C));
  Tensor mean = zeros({C, d_}, DType::f64), within = zeros({d_, d_}, DType::f64);
  for (int f = 0; f < folds(); ++f) {
    if (f == judged || f == without || fold_[f].rows.empty()) continue;
    add_to(mean, sums.x[f], 1);
    add_to(within, fold_[f].second, 1);
    for (std::int64_t k = 0; k < C; ++k) learned[k] += sums.count[f][k];
  }
  double total = 0;
  for (const double size : learned) total += size;
  total = std::max(total, 1e-9);
  double* m = mean.data<double>();
  Tensor scaled = empty({C, d_}, DType::f64);  // means by the roots of their counts
  for (std::int64_t k = 0; k < C; ++k) {
    const double size = std::max(learned[k], 1e-9);
    for (std::int64_t j = 0; j < d_; ++j) {
      m[k * d_ + j] /= size;
      scaled.data<double>()[k * d_ + j] = m[k * d_ + j] * std::sqrt(size);
    }
  }
  add_to(within, matmul(transpose(scaled), scaled), -1);
  double trace = 0;
  double* w = within.data<double>();
  for (std::int64_t j = 0; j < d_; ++j) trace += w[j * d_ + j];
  for (std::int64_t i = 0; i < d_ * d_; ++i) w[i] *= (1 - shrink) / total;
  for (std::int64_t j = 0; j < d_; ++j) {
    w[j * d_ + j] += shrink * std::max(trace, 0.) / (total * static_cast<double>(d_)) + 1e-12;
  }
  // Distances q_k = (x - m_k)' S^-1 (x - m_k), with S^-1 = V V', V = L^-T.
  const Tensor v = contiguous(transpose(inverse_lower(cholesky(within, 1e-9))));
  const Tensor white = contiguous(matmul(mean, v));                             // [C, d]
  const Tensor at = contiguous(matmul(fold.x, v));                              // [rows, d]
  const Tensor product = contiguous(matmul(at, contiguous(transpose(white))));  // [rows, C]
  const auto squares = [this](const Tensor& x, std::int64_t row) {
    const double* value = x.data<double>() + row * d_;
    return std::inner_product(value, value + d_, value, 0.);
  };
  std::vector<double> prior(static_cast<std::size_t>(C)), middle(prior);
  for (std::int64_t k = 0; k < C; ++k) {
    prior[k] = std::log(std::max(learned[k], 1e-9) / total);
    middle[k] = squares(white, k);
  }
  const double power = (freedom_ + static_cast<double>(d_)) / 2;
  for (std::size_t r = 0; r < fold.rows.size(); ++r) {
    const double own = squares(at, static_cast<std::int64_t>(r));
    const double* z = product.data<double>() + static_cast<std::int64_t>(r) * C;
    double* p = out.values.data() + fold.rows[r] * C;
    double most = -std::numeric_limits<double>::infinity(), total_p = 0;
    for (std::int64_t k = 0; k < C; ++k) {
      const double q = std::max(own - 2 * z[k] + middle[k], 0.);
      p[k] = prior[k] - (freedom_ == kGaussian ? q / 2 : power * std::log1p(q / freedom_));
      most = std::max(most, p[k]);
    }
    for (std::int64_t k = 0; k < C; ++k) total_p += p[k] = std::exp(p[k] - most);
    for (std::int64_t k = 0; k < C; ++k) p[k] /= total_p;
  }
}

ProbabilityTable DiscriminantFolds::out_of_fold(const ProbabilityTable& targets, double shrink,
                                                int without) const {
  const Sums sums = sums_of(targets, shrink);
  ProbabilityTable out{
      n_, targets.classes,
      std::vector<double>(static_cast<std::size_t>(n_ * targets.classes), kNotApplicable)};
  parallel_chunks(folds(), [&](std::int64_t f) {
    if (f != without) judge(static_cast<int>(f), without, sums, shrink, out);
  });
  return out;
}

void DiscriminantFolds::judge_fold(int fold, const ProbabilityTable& targets, double shrink,
                                   ProbabilityTable& out) const {
  if (fold < 0 || fold >= folds() || out.rows != n_ || out.classes != targets.classes) {
    fail("DiscriminantFolds", "expected a fold in [0, ", folds(), ") and an answer [", n_, ", ",
         targets.classes, "], got ", fold, " and [", out.rows, ", ", out.classes, "]");
  }
  judge(fold, -1, sums_of(targets, shrink), shrink, out);
}

}  // namespace athanor::distill
