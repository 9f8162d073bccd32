#include "distill/restructure/knn_graph.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "tensor/base/avx2_clones.h"
#include "tensor/base/parallel.h"
#include "tensor/ops.h"
#include "tensor/ops/matmul.h"

namespace athanor::distill {
namespace {

// Rows of queries whose distances are held at once: 256 x 60,000 f32 are 61 MB.
constexpr std::int64_t kQueryBlock = 256;
constexpr std::int64_t kScanBlock = 16;  // distances that are looked at together
// The search by a bound (few_smallest): lanes whose minima give it, the most it is made for, and
// the fewest distances that it pays for.
constexpr std::int64_t kLanes = 32, kFew = 16, kCandidates = 64, kManyDistances = 128;

std::vector<float> squared_norms(const Tensor& x) {
  const std::int64_t n = x.size(0), d = x.size(1);
  const float* p = x.data<float>();
  std::vector<float> out(static_cast<std::size_t>(n));
  // Four rows at a time: each sum waits for its own last addition only.
  constexpr std::int64_t kRows = 4;
  for (std::int64_t i = 0; i < n; i += kRows) {
    std::array<const float*, kRows> row;
    for (std::int64_t r = 0; r < kRows; ++r) row[r] = p + std::min(i + r, n - 1) * d;
    std::array<double, kRows> sum{};
    for (std::int64_t j = 0; j < d; ++j) {
      for (std::int64_t r = 0; r < kRows; ++r) sum[r] += static_cast<double>(row[r][j]) * row[r][j];
    }
    for (std::int64_t r = 0; r < std::min(kRows, n - i); ++r) {
      out[static_cast<std::size_t>(i + r)] = static_cast<float>(sum[r]);
    }
  }
  return out;
}

void check_rows(const char* op, const Tensor& x) {
  if (x.rank() != 2 || x.dtype() != DType::f32 || x.size(0) == 0 || x.size(1) == 0) {
    fail(op, "expected units [n, d] f32, got ", describe(x));
  }
}

// |q - x|^2 of a query to all units from their products with it [n], in place; b2 [n].
ATHANOR_AVX2_CLONES
void to_squared_distances(float* product, std::int64_t n, float a2, const float* b2) {
  for (std::int64_t j = 0; j < n; ++j) {
    const float square = a2 + b2[j] - 2 * product[j];
    product[j] = square > 0 ? square : 0;
  }
}

// The first block from `begin` on with a value below `limit`; n when there is none.
ATHANOR_AVX2_CLONES
std::int64_t next_block_below(const float* value, std::int64_t begin, std::int64_t n, float limit) {
  for (; begin + kScanBlock <= n; begin += kScanBlock) {
    int less = 0;
    for (std::int64_t j = 0; j < kScanBlock; ++j) less |= value[begin + j] < limit;
    if (less != 0) return begin;
  }
  return begin;
}

// The k smallest of `distance` [n] without `self`, in order, ties to the lower index.
void smallest(const float* distance, std::int64_t n, std::int64_t self, std::int64_t k,
              std::int32_t* index, float* value) {
  std::int64_t count = 0;
  for (std::int64_t begin = 0; begin < n; begin += kScanBlock) {
    if (count == k) begin = next_block_below(distance, begin, n, value[k - 1]);
    const std::int64_t end = std::min(begin + kScanBlock, n);
    for (std::int64_t j = begin; j < end; ++j) {
      if (j == self || (count == k && !(distance[j] < value[k - 1]))) continue;
      std::int64_t at = count < k ? count++ : k - 1;
      for (; at > 0 && distance[j] < value[at - 1]; --at) {
        value[at] = value[at - 1];
        index[at] = index[at - 1];
      }
      value[at] = distance[j];
      index[at] = static_cast<std::int32_t>(j);
    }
  }
}

// The k-th smallest of the minima of kLanes interleaved parts of `value` [n]: k values at least are
// not above it, and hardly more.
ATHANOR_AVX2_CLONES
float bound_of_few(const float* value, std::int64_t n, std::int64_t k) {
  float least[kLanes];
  for (float& l : least) l = std::numeric_limits<float>::infinity();
  std::int64_t j = 0;
  for (; j + kLanes <= n; j += kLanes) {
    for (std::int64_t l = 0; l < kLanes; ++l) {
      least[l] = value[j + l] < least[l] ? value[j + l] : least[l];
    }
  }
  for (std::int64_t l = 0; j + l < n; ++l) least[l] = std::min(least[l], value[j + l]);
  std::int32_t below[kLanes] = {};  // how many of the minima are less
  for (std::int64_t a = 0; a < kLanes; ++a) {
    for (std::int64_t l = 0; l < kLanes; ++l) below[l] += least[a] < least[l];
  }
  float bound = -std::numeric_limits<float>::infinity();
  for (std::int64_t l = 0; l < kLanes; ++l) {
    if (below[l] < k && least[l] > bound) bound = least[l];
  }
  return bound;
}

// As smallest() for k <= kFew, without a sorted list to keep: a bound first, then the order of the
// few values up to it. `distance` of self is overwritten. False, and nothing found, where many
// values are equal.
bool few_smallest(float* distance, std::int64_t n, std::int64_t self, std::int64_t k,
                  std::int32_t* index, float* value) {
  if (self >= 0) distance[self] = std::numeric_limits<float>::infinity();
  const float bound = bound_of_few(distance, n, k);
  if (!(bound < std::numeric_limits<float>::infinity())) return false;
  const float above = std::nextafter(bound, std::numeric_limits<float>::infinity());
  std::array<std::int32_t, kCandidates + kScanBlock> at;
  std::array<float, kCandidates + kScanBlock> of;
  std::int64_t count = 0;
  for (std::int64_t begin = 0; begin < n; begin += kScanBlock) {
    begin = next_block_below(distance, begin, n, above);
    for (std::int64_t j = begin; j < std::min(begin + kScanBlock, n); ++j) {
      at[count] = static_cast<std::int32_t>(j);
      of[count] = distance[j];
      count += distance[j] < above;
    }
    if (count >= kCandidates) return false;
  }
  for (std::int64_t c = 0; c < count; ++c) {
    std::int64_t rank = 0;
    for (std::int64_t b = 0; b < c; ++b) rank += of[b] <= of[c];
    for (std::int64_t b = c + 1; b < count; ++b) rank += of[b] < of[c];
    if (rank >= k) continue;
    index[rank] = at[c];
    value[rank] = of[c];
  }
  return true;
}

}  // namespace

Tensor unit_rows(const Tensor& x) {
  Tensor out = clone(contiguous(x));
  const std::vector<float> squares = squared_norms(out);
  const std::int64_t d = out.size(1);
  float* p = out.data<float>();
  for (std::size_t i = 0; i < squares.size(); ++i) {
    const float scale = squares[i] > 0 ? 1 / std::sqrt(squares[i]) : 0;
    float* row = p + static_cast<std::int64_t>(i) * d;
    for (std::int64_t j = 0; j < d; ++j) row[j] *= scale;
  }
  return out;
}

Tensor take_rows(const Tensor& x, const std::vector<std::int64_t>& rows) {
  check_rows("take_rows", x);
  const Tensor source = contiguous(x);
  const std::int64_t n = x.size(0), d = x.size(1);
  Tensor out = empty({static_cast<std::int64_t>(rows.size()), d});
  float* to = out.data<float>();
  for (std::int64_t row : rows) {
    if (row < 0 || row >= n) fail("take_rows", "expected rows in [0, ", n, "), got ", row);
    const float* from = source.data<float>() + row * d;
    to = std::copy(from, from + d, to);
  }
  return out;
}

Neighbours nearest(const Tensor& queries, const Tensor& units, std::int64_t k, Metric metric,
                   const std::vector<std::int64_t>& self) {
  check_rows("nearest", queries);
  check_rows("nearest", units);
  const std::int64_t m = queries.size(0), n = units.size(0);
  if (queries.size(1) != units.size(1)) {
    fail("nearest", "expected queries and units of one width, got ", describe(queries), " and ",
         describe(units));
  }
  if (k < 1 || k > n - 1) fail("nearest", "expected k in [1, ", n - 1, "], got ", k);
  const bool cosine = metric == Metric::cosine;
  const Tensor a = cosine ? unit_rows(queries) : contiguous(queries);
  const Tensor b = cosine ? unit_rows(units) : contiguous(units);
  const std::vector<float> a2 = squared_norms(a), b2 = squared_norms(b);
  Neighbours out;
  out.k = k;
  out.index.resize(static_cast<std::size_t>(m * k));
  out.distance.resize(static_cast<std::size_t>(m * k));
  for (std::int64_t begin = 0; begin < m; begin += kQueryBlock) {
    const std::int64_t rows = std::min(kQueryBlock, m - begin);
    Tensor products = matmul(slice(a, 0, begin, begin + rows), transpose(b));
    float* p = products.data<float>();
    parallel_for(rows, 8, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t r = first; r < last; ++r) {
        const auto q = static_cast<std::size_t>(begin + r);
        float* row = p + r * n;
        float* found = &out.distance[q * static_cast<std::size_t>(k)];
        if (cosine) {
          for (std::int64_t j = 0; j < n; ++j) row[j] = 1 - row[j];
        } else {
          to_squared_distances(row, n, a2[q], b2.data());
        }
        const std::int64_t own = self.empty() ? -1 : self[q];
        std::int32_t* index = &out.index[q * static_cast<std::size_t>(k)];
        const bool few = n >= kManyDistances && k <= kFew;
        if (!few || !few_smallest(row, n, own, k, index, found)) {
          smallest(row, n, own, k, index, found);
        }
        if (!cosine) std::transform(found, found + k, found, [](float x) { return std::sqrt(x); });
      }
    });
  }
  return out;
}

KnnGraph knn_graph(const Tensor& embeddings, std::int64_t k, Metric metric) {
  check_rows("knn_graph", embeddings);
  KnnGraph graph;
  graph.nodes = embeddings.size(0);
  std::vector<std::int64_t> self(static_cast<std::size_t>(graph.nodes));
  std::iota(self.begin(), self.end(), std::int64_t{0});
  graph.neighbours = nearest(embeddings, embeddings, k, metric, self);
  const auto& index = graph.neighbours.index;
  const auto& distance = graph.neighbours.distance;
  std::vector<float> sorted = distance;
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  const float median = std::max(*middle, 1e-12f);
  const auto width = static_cast<std::size_t>(k);
  for (std::size_t i = 0; i < self.size(); ++i) {
    std::vector<GraphEdge> found;
    for (std::size_t s = i * width; s < (i + 1) * width; ++s) {
      const auto j = static_cast<std::size_t>(index[s]);
      const auto begin = index.begin() + static_cast<std::ptrdiff_t>(j * width);
      const auto end = begin + static_cast<std::ptrdiff_t>(width);
      if (j < i || std::find(begin, end, static_cast<std::int32_t>(i)) == end) continue;
      const float weight = metric == Metric::cosine ? std::max(1 - distance[s], 0.0f)
                                                    : 1 / (1 + distance[s] / median);
      found.push_back({static_cast<std::int32_t>(i), index[s], weight});
    }
    std::sort(found.begin(), found.end(),
              [](const GraphEdge& x, const GraphEdge& y) { return x.j < y.j; });
    graph.edges.insert(graph.edges.end(), found.begin(), found.end());
  }
  return graph;
}

}  // namespace athanor::distill
