#include "distill/refine/latent_words.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "distill/refine/cholesky.h"
#include "distill/restructure/knn_graph.h"
#include "tensor/base/error.h"
#include "tensor/ops.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/matmul.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/sparse.h"
#include "tensor/random.h"

namespace athanor::distill {
namespace {

constexpr int kCellBits = 18;
constexpr std::int64_t kColumns = 32'768;

// Rows of texts, a column a word: [texts, words], f64 values.
struct TextMatrix {
  SparsePattern pattern;
  Tensor values;
};

// Words that occur twice or more, weighted by inverse document frequency, rows of length 1; nothing
// where there is no such word.
std::optional<TextMatrix> weighted_rows(const TokenRows& tokens) {
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
  if (used.empty()) return std::nullopt;
  std::vector<std::int64_t> begin{0}, index;
  std::vector<float> value;
  const double n = static_cast<double>(tokens.size());
  for (std::int64_t i = 0; i < tokens.size(); ++i) {
    double squares = 0;
    for (const std::uint32_t token : tokens.row(i)) {
      if (column[cell(token)] < 0) continue;
      const double idf = std::log((1 + n) / (1. + count[cell(token)])) + 1;
      index.push_back(column[cell(token)]);
      value.push_back(static_cast<float>(idf));
      squares += idf * idf;
    }
    const auto scale = static_cast<float>(squares > 0 ? 1 / std::sqrt(squares) : 0);
    for (auto e = static_cast<std::size_t>(begin.back()); e < value.size(); ++e) value[e] *= scale;
    begin.push_back(std::ssize(value));
  }
  return TextMatrix{
      SparsePattern::from_csr(from_values(begin, {std::ssize(begin)}),
                              from_values(index, {std::ssize(index)}), std::ssize(used)),
      cast(from_values(value, {std::ssize(value)}), DType::f64)};
}

}  // namespace

Tensor latent_words(const TokenRows& tokens, std::int64_t dimensions, std::uint64_t seed,
                    int steps) {
  if (tokens.size() < 1 || dimensions < 1) {
    fail("latent_words", "expected records and dimensions >= 1, got ", tokens.size(), " and ",
         dimensions);
  }
  const std::optional<TextMatrix> matrix = weighted_rows(tokens);
  if (!matrix) return zeros({tokens.size(), 1});
  const SparsePattern& a = matrix->pattern;
  const SparsePattern t = a.transposed();
  const std::int64_t k = std::min({dimensions, a.rows(), a.columns()});
  const auto times = [&](const SparsePattern& by, const Tensor& dense) {
    return sparse_matmul(by, matrix->values, contiguous(dense));
  };
  Generator random(seed, 11);
  Tensor start = empty({a.columns(), k}, DType::f64);
  for (std::int64_t i = 0; i < start.numel(); ++i) {
    start.data<double>()[i] = random.next_normal();
  }
  Tensor q = orthonormal_columns(times(a, start));
  for (int i = 0; i < steps; ++i) q = orthonormal_columns(times(a, times(t, q)));
  // q q'a a'q q' = x x' with x = q L, L L' = (a'q)'(a'q): rows of x have the inner products of the
  // projected rows, whatever the rotation.
  const Tensor z = times(t, q);
  const Tensor x = matmul(q, cholesky(gram(z), 1e-12));
  return unit_rows(contiguous(cast(x, DType::f32)));
}

}  // namespace athanor::distill
