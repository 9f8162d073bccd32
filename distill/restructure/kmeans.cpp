#include "distill/restructure/kmeans.h"

#include <algorithm>
#include <array>
#include <limits>

#include "tensor/base/parallel.h"
#include "tensor/ops/copy.h"
#include "tensor/random.h"

namespace athanor::distill {
namespace {

struct Lloyd {
  const float* points;
  std::int64_t n, d, k;
  std::vector<double> centres;  // [k, d]
  std::vector<std::int32_t> labels;
  std::vector<double> squares;  // of each point's distance to its centre

  double square(std::int64_t i, std::int64_t c) const {
    const float* point = points + i * d;
    const double* centre = centres.data() + c * d;
    double sum = 0;
    for (std::int64_t j = 0; j < d; ++j) sum += (point[j] - centre[j]) * (point[j] - centre[j]);
    return sum;
  }
  // The same to 4 centres, given as [d, 4]: four sums side by side take the time of one.
  std::array<double, 4> squares_of_four(std::int64_t i, const double* four) const {
    const float* point = points + i * d;
    std::array<double, 4> sum{};
    for (std::int64_t j = 0; j < d; ++j) {
      const double at = point[j];
      for (int b = 0; b < 4; ++b) {
        const double difference = at - four[4 * j + b];
        sum[b] += difference * difference;
      }
    }
    return sum;
  }
  void place(std::int64_t c, std::int64_t i) {
    std::copy(points + i * d, points + (i + 1) * d, centres.begin() + c * d);
  }

  // Each next centre is a point drawn in proportion to its squared distance to the nearest one.
  void seed(Generator& generator) {
    squares.assign(static_cast<std::size_t>(n), std::numeric_limits<double>::infinity());
    place(0, generator.next_below(n));
    for (std::int64_t c = 1; c < k; ++c) {
      double sum = 0;
      for (std::int64_t i = 0; i < n; ++i) {
        auto& best = squares[static_cast<std::size_t>(i)];
        best = std::min(best, square(i, c - 1));
        sum += best;
      }
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
    std::vector<double> fours(static_cast<std::size_t>(k / 4 * 4 * d));  // [k / 4, d, 4]
    for (std::int64_t c = 0; c < k / 4 * 4; ++c) {
      for (std::int64_t j = 0; j < d; ++j) {
        fours[(c / 4 * d + j) * 4 + c % 4] = centres[c * d + j];
      }
    }
    parallel_for(n, 256, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        std::int32_t best = 0;
        double least = std::numeric_limits<double>::infinity();
        const auto take = [&](std::int64_t c, double distance) {
          if (distance < least) {
            least = distance;
            best = static_cast<std::int32_t>(c);
          }
        };
        std::int64_t c = 0;
        for (; c + 4 <= k; c += 4) {
          const std::array<double, 4> distance = squares_of_four(i, fours.data() + c * d);
          for (std::int64_t b = 0; b < 4; ++b) take(c + b, distance[b]);
        }
        for (; c < k; ++c) take(c, square(i, c));
        auto& label = labels[static_cast<std::size_t>(i)];
        if (label != best) changed[static_cast<std::size_t>(begin / 256)] = 1;
        label = best;
        squares[static_cast<std::size_t>(i)] = least;
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
