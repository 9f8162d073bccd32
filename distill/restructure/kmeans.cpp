#include "distill/restructure/kmeans.h"

#include <algorithm>
#include <array>
#include <limits>

#include "tensor/base/avx2_clones.h"
#include "tensor/base/parallel.h"
#include "tensor/ops/copy.h"
#include "tensor/random.h"

namespace athanor::distill {
namespace {

constexpr std::int64_t kBlock = 16;  // centres that a point is compared with at a time

// |point - centre|^2 of two points for a block of centres that lie side by side [d, kBlock]: their
// sums take the time of one. `squares`: [2, kBlock].
ATHANOR_VECTOR_CLONES
void squares_of_block(const float* a, const float* b, const double* centres, std::int64_t d,
                      double* squares) {
  double first[kBlock] = {}, second[kBlock] = {};
  for (std::int64_t j = 0; j < d; ++j) {
    const double at_a = a[j], at_b = b[j];
    for (std::int64_t c = 0; c < kBlock; ++c) {
      const double from_a = at_a - centres[j * kBlock + c];
      const double from_b = at_b - centres[j * kBlock + c];
      first[c] += from_a * from_a;
      second[c] += from_b * from_b;
    }
  }
  std::copy(first, first + kBlock, squares);
  std::copy(second, second + kBlock, squares + kBlock);
}

struct Lloyd {
  const float* points;
  std::int64_t n, d, k;
  std::vector<double> centres;  // [k, d]
  std::vector<std::int32_t> labels;
  std::vector<double> squares;  // of each point's distance to its centre

  // No point is farther from its centre than from this one. Four points at a time: each sum waits
  // for its own last addition only.
  void nearer_to(std::int64_t c) {
    constexpr std::int64_t kPoints = 4;
    const double* centre = centres.data() + c * d;
    for (std::int64_t i = 0; i < n; i += kPoints) {
      std::array<const float*, kPoints> point;
      for (std::int64_t b = 0; b < kPoints; ++b) point[b] = points + std::min(i + b, n - 1) * d;
      std::array<double, kPoints> sum{};
      for (std::int64_t j = 0; j < d; ++j) {
        for (std::int64_t b = 0; b < kPoints; ++b) {
          const double difference = point[b][j] - centre[j];
          sum[b] += difference * difference;
        }
      }
      for (std::int64_t b = 0; b < std::min(kPoints, n - i); ++b) {
        auto& best = squares[static_cast<std::size_t>(i + b)];
        best = std::min(best, sum[b]);
      }
    }
  }
  void place(std::int64_t c, std::int64_t i) {
    std::copy(points + i * d, points + (i + 1) * d, centres.begin() + c * d);
  }

  // Each next centre is a point drawn in proportion to its squared distance to the nearest one.
  void seed(Generator& generator) {
    squares.assign(static_cast<std::size_t>(n), std::numeric_limits<double>::infinity());
    place(0, generator.next_below(n));
    for (std::int64_t c = 1; c < k; ++c) {
      nearer_to(c - 1);
      double sum = 0;
      for (const double square : squares) sum += square;
      double rest = generator.next_uniform() * sum;
      std::int64_t chosen = 0;
      while (chosen + 1 < n && rest >= squares[static_cast<std::size_t>(chosen)]) {
        rest -= squares[static_cast<std::size_t>(chosen++)];
      }
      place(c, chosen);
    }
  }

  // True when some point changed its centre.
  bool assign() {
    std::vector<char> changed(static_cast<std::size_t>((n + 255) / 256));
    // [blocks, d, kBlock]; behind the last centre zeros, whose distances are not looked at.
    const std::int64_t blocks = (k + kBlock - 1) / kBlock;
    std::vector<double> side_by_side(static_cast<std::size_t>(blocks * d * kBlock));
    for (std::int64_t c = 0; c < k; ++c) {
      for (std::int64_t j = 0; j < d; ++j) {
        side_by_side[(c / kBlock * d + j) * kBlock + c % kBlock] = centres[c * d + j];
      }
    }
    parallel_for(n, 256, [&](std::int64_t begin, std::int64_t end) {
      std::array<double, 2 * kBlock> distance;
      for (std::int64_t i = begin; i < end; i += 2) {
        const std::int64_t next = std::min(i + 1, end - 1);
        std::array<std::int32_t, 2> best{};
        std::array<double, 2> least;
        least.fill(std::numeric_limits<double>::infinity());
        for (std::int64_t from = 0; from < k; from += kBlock) {
          squares_of_block(points + i * d, points + next * d, side_by_side.data() + from * d, d,
                           distance.data());
          for (std::int64_t c = from; c < std::min(k, from + kBlock); ++c) {
            for (std::int64_t b = 0; b < 2; ++b) {
              if (distance[b * kBlock + c - from] >= least[b]) continue;
              least[b] = distance[b * kBlock + c - from];
              best[b] = static_cast<std::int32_t>(c);
            }
          }
        }
        for (std::int64_t b = 0; b <= next - i; ++b) {
          auto& label = labels[static_cast<std::size_t>(i + b)];
          if (label != best[b]) changed[static_cast<std::size_t>(begin / 256)] = 1;
          label = best[b];
          squares[static_cast<std::size_t>(i + b)] = least[b];
        }
      }
    });
    return std::find(changed.begin(), changed.end(), 1) != changed.end();
  }

  void move() {
    std::vector<std::int64_t> counts(static_cast<std::size_t>(k));
    std::fill(centres.begin(), centres.end(), 0.0);
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t c = labels[static_cast<std::size_t>(i)];
      ++counts[static_cast<std::size_t>(c)];
      for (std::int64_t j = 0; j < d; ++j) {
        centres[static_cast<std::size_t>(c * d + j)] += points[i * d + j];
      }
    }
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
    Lloyd lloyd{source.data<float>(), n, d, k, {}, {}, {}};
    lloyd.centres.resize(static_cast<std::size_t>(k * d));
    lloyd.labels.assign(static_cast<std::size_t>(n), -1);
    lloyd.seed(generator);
    for (int i = 0; i < options.iterations && lloyd.assign(); ++i) lloyd.move();
    lloyd.assign();  // labels that belong to the last centres
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
