#include "distill/restructure/autoencoder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "autograd/ops.h"
#include "autograd/ops/matmul.h"
#include "distill/restructure/knn_graph.h"
#include "nn/optim.h"
#include "tensor/ops.h"
#include "tensor/random.h"

namespace athanor::distill {
namespace {

using Rows = std::vector<std::int64_t>;

// w1, b1 (uniform +- 1 / sqrt(in)) and zero w2, b2 of in -> hidden -> out.
void add_branch(std::vector<Variable>& to, std::int64_t in, std::int64_t hidden, std::int64_t out,
                Generator& generator) {
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  to.emplace_back(random_uniform({hidden, in}, generator, -bound, bound), true);
  to.emplace_back(random_uniform({hidden}, generator, -bound, bound), true);
  to.emplace_back(zeros({out, hidden}), true);
  to.emplace_back(zeros({out}), true);
}

// Both take Variables in training and Tensors afterwards. `w` points at a branch.
template <class T>
T branch(const T& x, const T* w) {
  return linear(relu(linear(x, w[0], w[1])), w[2], w[3]);
}
template <class T>
T encode_scaled(const T& x, const T& p, const T* w) {
  return linear(x, p) + branch(x, w);
}
template <class T>
T decode_scaled(const T& z, const T& p, const T* w) {
  return matmul(z, p) + branch(z, w + 4);
}

std::vector<Tensor> snapshot(const std::vector<Variable>& leaves) {
  std::vector<Tensor> out;
  for (const Variable& leaf : leaves) out.push_back(clone(leaf.tensor()));
  return out;
}

double squared_error(const Tensor& a, const Tensor& b) { return sum(square(a - b)).item(); }

// Share of each query's 10 nearest units that are also among the 10 nearest by code.
double neighbour_recall(const Tensor& units, const Tensor& codes, const Rows& queries) {
  const std::int64_t k = std::min<std::int64_t>(10, units.size(0) - 1);
  const Neighbours a = nearest(take_rows(units, queries), units, k, Metric::euclidean, queries);
  const Neighbours b = nearest(take_rows(codes, queries), codes, k, Metric::euclidean, queries);
  std::int64_t common = 0;
  const auto width = static_cast<std::ptrdiff_t>(k);
  for (std::size_t q = 0; q < queries.size(); ++q) {
    const auto begin = static_cast<std::ptrdiff_t>(q) * width;
    for (std::ptrdiff_t s = begin; s < begin + width; ++s) {
      const auto first = b.index.begin() + begin;
      common +=
          std::find(first, first + width, a.index[static_cast<std::size_t>(s)]) != first + width;
    }
  }
  return static_cast<double>(common) / static_cast<double>(a.index.size());
}

}  // namespace

Tensor Autoencoder::encode(const Tensor& x) const {
  const Tensor scaled = mul(x - pca_.mean, 1 / scale_);
  return encode_scaled(scaled, pca_.components, weights_.data());
}

Tensor Autoencoder::decode(const Tensor& codes) const {
  return mul(decode_scaled(codes, pca_.components, weights_.data()), scale_) + pca_.mean;
}

Autoencoder fit_autoencoder(const Tensor& x, const AutoencoderOptions& options) {
  if (x.rank() != 2 || x.dtype() != DType::f32 || x.size(0) < 20) {
    fail("fit_autoencoder", "expected units [n, d] f32 with n >= 20, got ", describe(x));
  }
  if (options.compression < 1 || options.batch < 1 || !(options.lr > 0)) {
    raise(ErrorKind::usage,
          "[fit_autoencoder] expected compression and batch >= 1 and lr > 0, got ",
          options.compression, ", ", options.batch, " and ", options.lr);
  }
  const std::int64_t n = x.size(0), d = x.size(1);
  const std::int64_t m = std::max<std::int64_t>(1, d / options.compression);
  Generator generator(options.seed);
  const Rows order = random_permutation(n, generator).to_vector<std::int64_t>();
  const std::ptrdiff_t tenth = n / 10;
  const Rows test(order.begin(), order.begin() + tenth);
  const Rows stop(order.begin() + tenth, order.begin() + 2 * tenth);
  const Rows train(order.begin() + 2 * tenth, order.end());

  Autoencoder out;
  const Tensor training = take_rows(x, train);
  out.pca_ = fit_pca(training, m);
  const double variance =
      std::accumulate(out.pca_.variances.begin(), out.pca_.variances.end(), 0.0);
  out.scale_ = std::max(std::sqrt(variance / static_cast<double>(d)), 1e-12);
  const auto scaled = [&](const Tensor& rows) { return mul(rows - out.pca_.mean, 1 / out.scale_); };
  const Tensor inputs = scaled(training), stop_inputs = scaled(take_rows(x, stop));
  const Variable p(out.pca_.components);
  const std::int64_t hidden = options.hidden > 0 ? options.hidden : 2 * d;
  std::vector<Variable> leaves;
  add_branch(leaves, d, hidden, m, generator);
  add_branch(leaves, m, hidden, d, generator);
  nn::AdamWOptions decay;
  decay.weight_decay = options.weight_decay;
  nn::AdamW adam(leaves, decay);
  out.weights_ = snapshot(leaves);

  const auto held_out_error = [&] {
    const std::vector<Tensor> w = snapshot(leaves);
    const Tensor z = encode_scaled(stop_inputs, out.pca_.components, w.data());
    return squared_error(decode_scaled(z, out.pca_.components, w.data()), stop_inputs);
  };
  double best = held_out_error();  // PCA's own
  const auto batches =
      (static_cast<std::int64_t>(train.size()) + options.batch - 1) / options.batch;
  int waited = 0;
  for (int epoch = 0; epoch < options.epochs && waited < options.patience; ++epoch) {
    const Rows shuffled = random_permutation(inputs.size(0), generator).to_vector<std::int64_t>();
    for (std::int64_t b = 0; b < batches; ++b) {
      const auto first = shuffled.begin() + b * options.batch;
      const auto last = b + 1 < batches ? first + options.batch : shuffled.end();
      const Variable rows(take_rows(inputs, Rows(first, last)));
      for (Variable& leaf : leaves) leaf.zero_grad();
      const Variable z = encode_scaled(rows, p, leaves.data());
      mean(square(decode_scaled(z, p, leaves.data()) - rows)).backward();
      const double progress =
          (epoch + static_cast<double>(b) / static_cast<double>(batches)) / options.epochs;
      adam.step(options.lr * (1 + std::cos(std::numbers::pi * progress)) / 2);
    }
    out.report_.epochs = epoch + 1;
    const double error = held_out_error();
    ++waited;
    if (error < best) {
      best = error;
      waited = 0;
      out.weights_ = snapshot(leaves);
    }
  }

  AutoencoderReport& report = out.report_;
  report.width = d;
  report.code_width = m;
  report.bytes_before = n * d * 4;
  report.bytes_after = n * m * 4;
  report.decoder_bytes = 4 * (m * d + 2 * d + hidden * (m + d + 1));
  const Tensor test_rows = take_rows(x, test);
  const double total = squared_error(test_rows, out.pca_.mean);
  if (total > 0) {
    report.fvu = squared_error(test_rows, out.decode(out.encode(test_rows))) / total;
    report.pca_fvu =
        squared_error(test_rows, unproject(out.pca_, project(out.pca_, test_rows))) / total;
  }
  report.recall = neighbour_recall(x, out.encode(x), test);
  report.pca_recall = neighbour_recall(x, project(out.pca_, x), test);
  return out;
}

}  // namespace athanor::distill
