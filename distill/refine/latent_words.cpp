#include "distill/refine/latent_words.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "distill/refine/cholesky.h"
#include "distill/restructure/knn_graph.h"
#include "tensor/base/error.h"
#include "tensor/base/parallel.h"
#include "tensor/ops.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/matmul.h"
#include "tensor/ops/shape.h"
#include "tensor/random.h"

namespace athanor::distill {
namespace {

constexpr int kCellBits = 18;
constexpr std::int64_t kColumns = 32'768;
constexpr int kPowerSteps = 4;

// Sparse rows and the same by columns.
struct SparseRows {
  std::int64_t rows = 0, columns = 0;
  std::vector<std::size_t> begin{0};
  std::vector<std::uint32_t> index;
  std::vector<float> value;

  // [rows, columns] x [columns, k], f64.
  Tensor times(const Tensor& dense) const {
    const std::int64_t k = dense.size(1);
    Tensor out = zeros({rows, k}, DType::f64);
    const double* from = dense.data<double>();
    double* to = out.data<double>();
    parallel_for(rows, 64, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i) {
        for (std::size_t e = begin[i]; e < begin[i + 1]; ++e) {
          const double* x = from + std::int64_t{index[e]} * k;
          for (std::int64_t j = 0; j < k; ++j) to[i * k + j] += value[e] * x[j];
        }
      }
    });
    return out;
  }
  SparseRows transposed() const {
    SparseRows t;
    t.rows = columns;
    t.columns = rows;
    t.begin.assign(static_cast<std::size_t>(columns) + 1, 0);
    for (const std::uint32_t c : index) ++t.begin[c + 1];
    std::partial_sum(t.begin.begin(), t.begin.end(), t.begin.begin());
    t.index.resize(index.size());
    t.value.resize(value.size());
    std::vector<std::size_t> at(t.begin.begin(), t.begin.end() - 1);
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::size_t e = begin[i]; e < begin[i + 1]; ++e) {
        const std::size_t place = at[index[e]]++;
        t.index[place] = static_cast<std::uint32_t>(i);
        t.value[place] = value[e];
      }
    }
    return t;
  }
};

SparseRows weighted_rows(const TokenRows& tokens) {
  const std::size_t cells = std::size_t{1} << kCellBits;
  const auto cell = [](std::uint32_t token) { return token >> (32 - kCellBits); };
  std::vector<std::uint32_t> count(cells);
  for (const std::uint32_t token : tokens.token) ++count[cell(token)];
  std::vector<std::uint32_t> used;
  for (std::uint32_t c = 0; c < cells; ++c) {
    if (count[c] >= 2) used.push_back(c);
  }
  if (std::ssize(used) > kColumns) {
    std::stable_sort(used.begin(), used.end(), [&](auto a, auto b) { return count[a] > count[b]; });
    used.resize(kColumns);
  }
  std::vector<std::int32_t> column(cells, -1);
  for (std::size_t c = 0; c < used.size(); ++c) column[used[c]] = static_cast<std::int32_t>(c);
  SparseRows rows;
  rows.rows = tokens.size();
  rows.columns = std::ssize(used);
  const double n = static_cast<double>(tokens.size());
  for (std::int64_t i = 0; i < rows.rows; ++i) {
    double squares = 0;
    for (const std::uint32_t token : tokens.row(i)) {
      if (column[cell(token)] < 0) continue;
      const double idf = std::log((1 + n) / (1. + count[cell(token)])) + 1;
      rows.index.push_back(static_cast<std::uint32_t>(column[cell(token)]));
      rows.value.push_back(static_cast<float>(idf));
      squares += idf * idf;
    }
    const auto scale = static_cast<float>(squares > 0 ? 1 / std::sqrt(squares) : 0);
    for (std::size_t e = rows.begin.back(); e < rows.value.size(); ++e) rows.value[e] *= scale;
    rows.begin.push_back(rows.value.size());
  }
  return rows;
}

// The columns of y, made orthonormal: y L^-T with y'y = L L'.
Tensor orthonormal(const Tensor& y) {
  const Tensor gram = matmul(transpose(y), y);
  return matmul(y, transpose(inverse_lower(cholesky(gram, 1e-12))));
}

}  // namespace

Tensor latent_words(const TokenRows& tokens, std::int64_t dimensions, std::uint64_t seed) {
  if (tokens.size() < 1 || dimensions < 1) {
    fail("latent_words", "expected records and dimensions >= 1, got ", tokens.size(), " and ",
         dimensions);
  }
  const SparseRows a = weighted_rows(tokens);
  const std::int64_t k = std::min({dimensions, a.rows, a.columns});
  if (k == 0) return zeros({a.rows, 1});
  const SparseRows t = a.transposed();
  Generator random(seed, 11);
  Tensor start = empty({a.columns, k}, DType::f64);
  for (std::int64_t i = 0; i < start.numel(); ++i) {
    start.data<double>()[i] = random.next_normal();
  }
  Tensor q = orthonormal(a.times(start));
  for (int i = 0; i < kPowerSteps; ++i) q = orthonormal(a.times(t.times(q)));
  // q q'a a'q q' = x x' with x = q L, L L' = (a'q)'(a'q): rows of x have the inner products of the
  // projected rows, whatever the rotation.
  const Tensor z = t.times(q);
  const Tensor x = matmul(q, cholesky(matmul(transpose(z), z), 1e-12));
  return unit_rows(contiguous(cast(x, DType::f32)));
}

}  // namespace athanor::distill
