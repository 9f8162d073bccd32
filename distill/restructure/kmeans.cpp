#include "distill/restructure/kmeans.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "tensor/base/avx2_clones.h"
#include "tensor/base/parallel.h"
#include "tensor/ops/copy.h"
#include "tensor/random.h"

namespace athanor::distill {
namespace {

constexpr std::int64_t kBlock = 16;  // centres that a point is compared with at a time

// |point - centre|^2 of a point for a block of centres that lie side by side [d, kBlock].
ATHANOR_VECTOR_CLONES
void squares_of_block(const float* point, const double* centres, std::int64_t d, double* squares) {
  double sum[kBlock] = {};
  for (std::int64_t j = 0; j < d; ++j) {
    const double at = point[j];
    for (std::int64_t c = 0; c < kBlock; ++c) {
      const double difference = at - centres[j * kBlock + c];
      sum[c] += difference * difference;
    }
  }
  std::copy(sum, sum + kBlock, squares);
}

constexpr std::int64_t kPoints = 4;  // whose sums take the time of one
// A number of each.
using Floats = float __attribute__((vector_size(kPoints * sizeof(float))));
using Ints = std::int32_t __attribute__((vector_size(kPoints * sizeof(float))));

// Inner products of such a block and four points, about: [kBlock, kPoints].
ATHANOR_VECTOR_CLONES
void products_of_block(const std::array<const float*, kPoints>& point, const float* centres,
                       std::int64_t d, float* products) {
  // Arrays of their own, which stay in registers.
  float sum0[kBlock] = {}, sum1[kBlock] = {}, sum2[kBlock] = {}, sum3[kBlock] = {};
  for (std::int64_t j = 0; j < d; ++j) {
    const float at0 = point[0][j], at1 = point[1][j], at2 = point[2][j], at3 = point[3][j];
    for (std::int64_t c = 0; c < kBlock; ++c) {
      const float centre = centres[j * kBlock + c];
      sum0[c] += at0 * centre;
      sum1[c] += at1 * centre;
      sum2[c] += at2 * centre;
      sum3[c] += at3 * centre;
    }
  }
  for (std::int64_t c = 0; c < kBlock; ++c, products += kPoints) {
    products[0] = sum0[c];
    products[1] = sum1[c];
    products[2] = sum2[c];
    products[3] = sum3[c];
  }
}

// Of two vectors, about.
ATHANOR_VECTOR_CLONES
float product(const float* a, const float* b, std::int64_t d) {
  float part[kBlock] = {};
  const std::int64_t whole = d / kBlock * kBlock;
  for (std::int64_t j = 0; j < whole; j += kBlock) {
    for (std::int64_t l = 0; l < kBlock; ++l) part[l] += a[j + l] * b[j + l];
  }
  float sum = 0;
  for (const float p : part) sum += p;
  for (std::int64_t j = whole; j < d; ++j) sum += a[j] * b[j];
  return sum;
}

ATHANOR_VECTOR_CLONES
void add_to(double* sum, const float* point, std::int64_t d) {
  for (std::int64_t j = 0; j < d; ++j) sum[j] += point[j];
}

// Distances are compared by sums in single precision first. Those of a point of length x to centres
// of length c at most differ from the exact ones, and from those that are summed in double
// precision, by less than this: 2^-24 for each of the d products and sums, whatever their order,
// and as much again. Infinite or no number where a sum might overflow: no comparison holds then.
float slack(float x, float c, std::int64_t d) {
  return static_cast<float>(d + 16) * 0x1p-22F * (x * x + x * c + c * c) + 1e-30F;
}

struct Lloyd {
  const float* points;
  std::int64_t n, d, k;
  std::vector<double> centres;  // [k, d]
  std::vector<std::int32_t> labels;
  std::vector<double> squares;  // of each point's distance to its centre; after measure()
  std::vector<float> length;    // of each point

  void measure_lengths() {
    length.resize(static_cast<std::size_t>(n));
    for (std::int64_t i = 0; i < n; ++i) {
      length[i] = std::sqrt(product(points + i * d, points + i * d, d));
    }
  }

  // Squared distances of `count` points to a centre each. Four at a time: each sum waits for its
  // own last addition only.
  void squares_to(const std::int64_t* point, const std::int64_t* centre, std::int64_t count,
                  double* out) const {
    for (std::int64_t i = 0; i < count; i += kPoints) {
      std::array<const float*, kPoints> x;
      std::array<const double*, kPoints> y;
      for (std::int64_t b = 0; b < kPoints; ++b) {
        x[b] = points + point[std::min(i + b, count - 1)] * d;
        y[b] = centres.data() + centre[std::min(i + b, count - 1)] * d;
      }
      std::array<double, kPoints> sum{};
      for (std::int64_t j = 0; j < d; ++j) {
        for (std::int64_t b = 0; b < kPoints; ++b) {
          const double difference = x[b][j] - y[b][j];
          sum[b] += difference * difference;
        }
      }
      std::copy_n(sum.begin(), std::min(kPoints, count - i), out + i);
    }
  }

  // No point is farther from its centre than from this one, which is the point `at`.
  void nearer_to(std::int64_t c, std::int64_t at) {
    std::vector<std::int64_t> near;
    const float* centre = points + at * d;
    for (std::int64_t i = 0; i < n; ++i) {
      const float x = length[i], y = length[at];
      const float least = x * x + y * y - 2 * product(points + i * d, centre, d) - slack(x, y, d);
      if (!(least > squares[i])) near.push_back(i);
    }
    std::vector<double> square(near.size());
    squares_to(near.data(), std::vector<std::int64_t>(near.size(), c).data(), std::ssize(near),
               square.data());
    for (std::size_t k = 0; k < near.size(); ++k) {
      squares[near[k]] = std::min(squares[near[k]], square[k]);
    }
  }
  void place(std::int64_t c, std::int64_t i) {
    std::copy(points + i * d, points + (i + 1) * d, centres.begin() + c * d);
  }

  // Each next centre is a point drawn in proportion to its squared distance to the nearest one.
  void seed(Generator& generator) {
    squares.assign(static_cast<std::size_t>(n), std::numeric_limits<double>::infinity());
    std::int64_t chosen = generator.next_below(n);
    place(0, chosen);
    for (std::int64_t c = 1; c < k; ++c) {
      nearer_to(c - 1, chosen);
      double sum = 0;
      for (const double square : squares) sum += square;
      double rest = generator.next_uniform() * sum;
      chosen = 0;
      while (chosen + 1 < n && rest >= squares[static_cast<std::size_t>(chosen)]) {
        rest -= squares[static_cast<std::size_t>(chosen++)];
      }
      place(c, chosen);
    }
  }

  // Centres as blocks [blocks, d, kBlock]; behind the last one zeros, which are not looked at.
  template <class T>
  std::vector<T> side_by_side() const {
    std::vector<T> blocks(static_cast<std::size_t>((k + kBlock - 1) / kBlock * kBlock * d));
    for (std::int64_t c = 0; c < k; ++c) {
      for (std::int64_t j = 0; j < d; ++j) {
        blocks[(c / kBlock * d + j) * kBlock + c % kBlock] = static_cast<T>(centres[c * d + j]);
      }
    }
    return blocks;
  }

  std::int32_t nearest(const float* point, const std::vector<double>& blocks) const {
    std::array<double, kBlock> square;
    double least = std::numeric_limits<double>::infinity();
    std::int32_t best = 0;
    for (std::int64_t from = 0; from < k; from += kBlock) {
      squares_of_block(point, blocks.data() + from * d, d, square.data());
      for (std::int64_t c = from; c < std::min(k, from + kBlock); ++c) {
        if (square[c - from] >= least) continue;
        least = square[c - from];
        best = static_cast<std::int32_t>(c);
      }
    }
    return best;
  }

  // True when some point changed its centre.
  bool assign() {
    std::vector<char> changed(static_cast<std::size_t>((n + 255) / 256));
    const std::vector<double> exact = side_by_side<double>();
    const std::vector<float> blocks = side_by_side<float>();
    std::vector<float> square(static_cast<std::size_t>(k));  // of each centre's length
    float longest = 0;
    for (std::int64_t c = 0; c < k; ++c) {
      double sum = 0;
      for (std::int64_t j = 0; j < d; ++j) sum += centres[c * d + j] * centres[c * d + j];
      square[c] = static_cast<float>(sum);
      // Not std::max, which passes over what is no number.
      const auto own = static_cast<float>(std::sqrt(sum));
      if (!(own <= longest)) longest = own;
    }
    parallel_for(n, 256, [&](std::int64_t begin, std::int64_t end) {
      std::array<float, kPoints * kBlock> products;
      for (std::int64_t i = begin; i < end; i += kPoints) {
        std::array<const float*, kPoints> point;
        for (std::int64_t b = 0; b < kPoints; ++b) point[b] = points + std::min(i + b, end - 1) * d;
        Ints best = {};
        Floats least = Floats{} + std::numeric_limits<float>::infinity(), second = least;
        for (std::int64_t from = 0; from < k; from += kBlock) {
          products_of_block(point, blocks.data() + from * d, d, products.data());
          for (std::int64_t c = from; c < std::min(k, from + kBlock); ++c) {
            Floats product;
            std::memcpy(&product, products.data() + (c - from) * kPoints, sizeof product);
            // Without the point's own square, which is the same for all.
            const Floats distance = square[c] - 2 * product;
            const Floats other = distance < least ? least : distance;
            best = distance < least ? Ints{} + static_cast<std::int32_t>(c) : best;
            second = other < second ? other : second;
            least = distance < least ? distance : least;
          }
        }
        for (std::int64_t b = 0; b < std::min(kPoints, end - i); ++b) {
          if (!(second[b] - least[b] > 2 * slack(length[i + b], longest, d))) {
            best[b] = nearest(point[b], exact);
          }
          if (labels[i + b] != best[b]) changed[begin / 256] = 1;
          labels[i + b] = best[b];
        }
      }
    });
    return std::find(changed.begin(), changed.end(), 1) != changed.end();
  }

  void measure() {
    constexpr std::int64_t kChunk = 256;
    parallel_for(n, kChunk, [&](std::int64_t begin, std::int64_t end) {
      std::vector<std::int64_t> point, centre;
      for (std::int64_t i = begin; i < end; ++i) {
        point.push_back(i);
        centre.push_back(labels[i]);
      }
      squares_to(point.data(), centre.data(), end - begin, squares.data() + begin);
    });
  }

  void move() {
    std::vector<std::int64_t> counts(static_cast<std::size_t>(k));
    for (const std::int32_t label : labels) ++counts[label];
    if (std::find(counts.begin(), counts.end(), 0) != counts.end()) measure();
    std::fill(centres.begin(), centres.end(), 0.0);
    for (std::int64_t i = 0; i < n; ++i) add_to(centres.data() + labels[i] * d, points + i * d, d);
    for (std::int64_t c = 0; c < k; ++c) {
      const std::int64_t count = counts[static_cast<std::size_t>(c)];
      if (count == 0) {
        const auto worst = std::max_element(squares.begin(), squares.end());
        place(c, worst - squares.begin());
        *worst = 0;
        continue;
      }
      for (std::int64_t j = 0; j < d; ++j) {
        centres[static_cast<std::size_t>(c * d + j)] /= static_cast<double>(count);
      }
    }
  }
};

}  // namespace

KmeansResult kmeans(const Tensor& points, const KmeansOptions& options) {
  if (points.rank() != 2 || points.dtype() != DType::f32) {
    fail("kmeans", "expected points [n, d] f32, got ", describe(points));
  }
  const Tensor source = contiguous(points);
  const std::int64_t n = points.size(0), d = points.size(1), k = options.clusters;
  if (k < 1 || k > n) fail("kmeans", "expected clusters in [1, ", n, "], got ", k);
  KmeansResult best;
  best.inertia = std::numeric_limits<double>::infinity();
  for (int restart = 0; restart < std::max(options.restarts, 1); ++restart) {
    Generator generator = Generator(options.seed).fork(static_cast<std::uint64_t>(restart));
    Lloyd lloyd{source.data<float>(), n, d, k, {}, {}, {}, {}};
    lloyd.measure_lengths();
    lloyd.centres.resize(static_cast<std::size_t>(k * d));
    lloyd.labels.assign(static_cast<std::size_t>(n), -1);
    lloyd.seed(generator);
    bool changed = true;
    for (int i = 0; changed && i < options.iterations; ++i) {
      changed = lloyd.assign();
      if (changed) lloyd.move();
    }
    if (changed) lloyd.assign();  // labels that belong to the last centres
    lloyd.measure();
    double inertia = 0;
    for (double square : lloyd.squares) inertia += square;
    if (inertia >= best.inertia) continue;
    best.inertia = inertia;
    best.labels = lloyd.labels;
    best.centres = cast(from_values(lloyd.centres, {k, d}), DType::f32);
  }
  return best;
}

}  // namespace athanor::distill
