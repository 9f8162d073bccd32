#include "distill/refine/discriminant.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "distill/refine/cholesky.h"
#include "distill/refine/feature_values.h"
#include "tensor/base/avx2_clones.h"
#include "tensor/base/error.h"
#include "tensor/base/parallel.h"
#include "tensor/ops.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/matmul.h"
#include "tensor/ops/shape.h"
#include "tensor/random.h"

namespace athanor::distill {
namespace {

constexpr std::int64_t kMostKept = 50'000;  // records whose x is kept in other bases

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
  scatter_.resize(fold_.size() * fold_.size());
  alone_.resize(fold_.size());
  beside_.resize(fold_.size());
}

const Tridiagonal& DiscriminantFolds::scatter(int fold, int without) const {
  const int other = without < 0 ? fold : without;
  auto& kept =
      scatter_[static_cast<std::size_t>(std::min(fold, other) * folds() + std::max(fold, other))];
  if (!kept) {
    Tensor sum = zeros({d_, d_}, DType::f64);
    for (int f = 0; f < folds(); ++f) {
      if (f != fold && f != other && !fold_[f].rows.empty()) add_to(sum, fold_[f].second, 1);
    }
    kept = tridiagonalise(sum);
  }
  return *kept;
}

Tensor DiscriminantFolds::turned(int fold, int without) const {
  Tensor& kept = without < 0 ? alone_[fold] : beside_[fold];
  if (kept.defined()) return kept;
  const Tensor x =
      contiguous(matmul(transpose(scatter(fold, without).q), transpose(fold_[fold].x)));
  if (n_ <= kMostKept) kept = x;
  return x;
}

void DiscriminantFolds::keep_for(int without) const {
  if (without < 0 || without == kept_for_) return;
  kept_for_ = without;
  for (Tensor& kept : beside_) kept = {};
}

DiscriminantFolds::Sums DiscriminantFolds::sums_of(const ProbabilityTable& targets, double shrink,
                                                   int without) const {
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
    if (fold.rows.empty() || static_cast<int>(f) == without) continue;
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

namespace {

// to = (z - factor * above) * scale, and its squares are added to `squares`.
ATHANOR_AVX2_CLONES
void whiten_row(const double* z, const double* above, double factor, double scale, std::int64_t n,
                double* to, double* squares) {
  constexpr std::int64_t kLanes = 8;
  std::int64_t j = 0;
  for (; j + kLanes <= n; j += kLanes) {
    double value[kLanes], square[kLanes];
    for (std::int64_t l = 0; l < kLanes; ++l) {
      value[l] = (z[j + l] - factor * above[j + l]) * scale;
      square[l] = squares[j + l] + value[l] * value[l];
    }
    for (std::int64_t l = 0; l < kLanes; ++l) to[j + l] = value[l];
    for (std::int64_t l = 0; l < kLanes; ++l) squares[j + l] = square[l];
  }
  for (; j < n; ++j) {
    to[j] = (z[j] - factor * above[j]) * scale;
    squares[j] += to[j] * to[j];
  }
}

struct Whitened {
  Tensor x;                     // f64 [d, n]
  std::vector<double> squares;  // n, of its columns
};

// D^-1/2 L^-1 z, where L D L' = scale t + shift I: distances by its inverse become plain ones.
Whitened whitened(const Tridiagonal& t, double scale, double shift, const Tensor& z) {
  const std::int64_t d = z.size(0), n = z.size(1);
  Whitened out{empty({d, n}, DType::f64), std::vector<double>(static_cast<std::size_t>(n))};
  const std::vector<double> none(static_cast<std::size_t>(n));
  const double* above = none.data();
  double last = 1;  // D of the row above
  for (std::int64_t i = 0; i < d; ++i) {
    const double beside = i > 0 ? scale * t.beside[i - 1] : 0;
    const double pivot =
        std::max(scale * t.diagonal[i] + shift - beside * beside / last, 1e-14 * shift);
    double* row = out.x.data<double>() + i * n;
    whiten_row(z.data<double>() + i * n, above, beside / std::sqrt(last), 1 / std::sqrt(pivot), n,
               row, out.squares.data());
    above = row;
    last = pivot;
  }
  return out;
}

// x f64 [rows, n], each row times its factor.
Tensor rows_times(const Tensor& x, const std::vector<double>& factor) {
  Tensor out = clone(contiguous(x));
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    for (std::int64_t j = 0; j < x.size(1); ++j) {
      out.data<double>()[i * x.size(1) + j] *= factor[static_cast<std::size_t>(i)];
    }
  }
  return out;
}

void add_squares_of_columns(const Tensor& x, std::vector<double>& sum) {
  const double* value = x.data<double>();
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    for (double& s : sum) {
      s += *value * *value;
      ++value;
    }
  }
}

}  // namespace

void DiscriminantFolds::judge(int judged, int without, const Sums& sums, double shrink,
                              ProbabilityTable& out) const {
  const Fold& fold = fold_[judged];
  if (fold.rows.empty()) return;
  const std::int64_t C = out.classes;
  const auto classes = static_cast<std::size_t>(C);
  std::vector<double> learned(classes);
  Tensor mean = zeros({C, d_}, DType::f64);
  for (int f = 0; f < folds(); ++f) {
    if (f == judged || f == without || fold_[f].rows.empty()) continue;
    add_to(mean, sums.x[f], 1);
    for (std::int64_t k = 0; k < C; ++k) learned[k] += sums.count[f][k];
  }
  const double total = std::max(std::accumulate(learned.begin(), learned.end(), 0.), 1e-9);
  // The covariance is scale (B - sum over classes of size m m') + shift I: B is of the records
  // alone, and is in the basis in which it is tridiagonal from here on.
  const Tridiagonal& scatter_of_all = scatter(judged, without);
  const double scale = (1 - shrink) / total;
  double trace =
      std::accumulate(scatter_of_all.diagonal.begin(), scatter_of_all.diagonal.end(), 0.);
  std::vector<double> prior(classes), root(classes);
  double* m = mean.data<double>();
  for (std::int64_t k = 0; k < C; ++k) {
    const double size = std::max(learned[k], 1e-9);
    for (std::int64_t j = 0; j < d_; ++j) {
      m[k * d_ + j] /= size;
      trace -= size * m[k * d_ + j] * m[k * d_ + j];
    }
    prior[k] = std::log(size / total);
    root[k] = std::sqrt(scale * size);
  }
  const auto d = static_cast<double>(d_);
  double shift = shrink * std::max(trace, 0.) / (total * d) + 1e-12;
  shift += 1e-9 * std::max(scale * trace / d + shift, 1e-300);
  // In whitened coordinates with one more for each class, distances are plain: the inverse of
  // A - U'U is that of A and A^-1 U' K^-1 U A^-1, K = I - U A^-1 U' (Woodbury).
  const auto turn = [&](const Tensor& x) {
    return contiguous(matmul(transpose(scatter_of_all.q), transpose(x)));
  };
  Whitened means = whitened(scatter_of_all, scale, shift, turn(mean));
  Whitened at = whitened(scatter_of_all, scale, shift, turned(judged, without));
  const Tensor gram = contiguous(matmul(transpose(means.x), means.x));              // [C, C]
  const Tensor product = contiguous(matmul(contiguous(transpose(means.x)), at.x));  // [C, rows]
  Tensor k_matrix = rows_times(transpose(rows_times(gram, root)), root);
  for (std::int64_t i = 0; i < C * C; ++i) {
    double& value = k_matrix.data<double>()[i];
    value = (i % (C + 1) == 0 ? 1 : 0) - value;
  }
  const Tensor inverse = inverse_lower(cholesky(k_matrix, 0));
  const Tensor of_means = contiguous(matmul(inverse, rows_times(gram, root)));  // more coordinates
  const Tensor of_rows = contiguous(matmul(inverse, rows_times(product, root)));
  add_squares_of_columns(of_means, means.squares);
  add_squares_of_columns(of_rows, at.squares);
  const Tensor cross = contiguous(add(product, matmul(transpose(of_means), of_rows)));
  const double power = (freedom_ + d) / 2;
  const std::int64_t rows = std::ssize(fold.rows);
  for (std::int64_t r = 0; r < rows; ++r) {
    double* p = out.values.data() + fold.rows[r] * C;
    double most = -std::numeric_limits<double>::infinity(), total_p = 0;
    for (std::int64_t k = 0; k < C; ++k) {
      const double z = cross.data<double>()[k * rows + r];
      const double q = std::max(at.squares[r] - 2 * z + means.squares[k], 0.);
      p[k] = prior[k] - (freedom_ == kGaussian ? q / 2 : power * std::log1p(q / freedom_));
      most = std::max(most, p[k]);
    }
    for (std::int64_t k = 0; k < C; ++k) total_p += p[k] = std::exp(p[k] - most);
    for (std::int64_t k = 0; k < C; ++k) p[k] /= total_p;
  }
}

ProbabilityTable DiscriminantFolds::out_of_fold(const ProbabilityTable& targets, double shrink,
                                                int without) const {
  const Sums sums = sums_of(targets, shrink, without);
  keep_for(without);
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
  judge(fold, -1, sums_of(targets, shrink, fold), shrink, out);
}

}  // namespace athanor::distill
