#include "distill/refine/table_neighbours.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "distill/refine/feature_values.h"
#include "distill/restructure/kmeans.h"
#include "distill/restructure/knn_graph.h"
#include "tensor/ops/copy.h"
#include "tensor/random.h"

namespace athanor::distill {
namespace {

constexpr std::int64_t kNeighbours = 10, kSample = 512, kClusterSample = 1024, kBlock = 2048,
                       kClusters = 10;

class NeighbourSearch {
 public:
  NeighbourSearch(const TokenRows& tokens, const Tensor& embeddings, std::span<const char> silent,
                  std::uint64_t seed, std::int64_t known)
      : tokens_(tokens), silent_(silent), n_(tokens.size()), known_(known), seed_(seed) {
    if (embeddings.defined()) {
      units_ = unit_rows(embeddings);
    } else {
      idf_ = inverse_document_frequencies(tokens);
    }
  }

  NeighbourFeatures run(std::span<const std::int64_t> group, double near_duplicate) {
    const bool exact = n_ <= kExactNeighbours;
    const std::vector<std::int64_t> sample = draw(exact ? n_ : kSample, n_);
    if (!exact) {
      f_.note =
          fmt::format("novelty, typicality: neighbours are sought among {} records drawn by seed",
                      std::ssize(sample));
    }
    f_.novelty.assign(static_cast<std::size_t>(n_), kNotApplicable);
    f_.typicality = f_.novelty;
    f_.cluster.assign(static_cast<std::size_t>(n_), 0);
    search(sample);
    std::vector<std::int64_t> size(static_cast<std::size_t>(n_));
    for (const std::int64_t g : group) ++size[g];
    for (std::int64_t i = 0; i < n_; ++i) {
      // Copies are neighbours, whether they stand in the sample or not.
      if (exact || size[group[i]] < 2 || !is_applicable(f_.novelty[i])) continue;
      f_.novelty[i] = std::min(f_.novelty[i], 1 - near_duplicate);
    }
    const double median = applicable_quantile(f_.typicality, .5);
    for (double& d : f_.typicality) {
      if (is_applicable(d)) d = median > 0 ? std::exp(-d / median) : 1;
    }
    return std::move(f_);
  }

 private:
  // `count` different records of the first n, in order.
  std::vector<std::int64_t> draw(std::int64_t count, std::int64_t n) const {
    std::vector<std::int64_t> rows(static_cast<std::size_t>(n));
    std::iota(rows.begin(), rows.end(), std::int64_t{0});
    if (count >= n) return rows;
    Generator random(seed_, 7);
    for (std::int64_t k = 0; k < count; ++k) {
      std::swap(rows[k], rows[k + random.next_below(n - k)]);
    }
    rows.resize(static_cast<std::size_t>(count));
    std::sort(rows.begin(), rows.end());
    return rows;
  }

  Tensor units(const std::vector<std::int64_t>& rows) const {
    if (units_.defined()) return take_rows(units_, rows);
    if (drawn_.empty()) return embed_tokens(tokens_, rows, idf_);
    std::vector<const float*> known;
    for (const std::int64_t i : rows) known.push_back(drawn_[i]);
    return embed_tokens(tokens_, rows, idf_, known);
  }

  Tensor cluster_centres() {
    f_.clusters = std::min(kClusters, n_);
    const std::vector<std::int64_t> rows = draw(std::min(kClusterSample, n_), n_);
    drawn_units_ = units(rows);
    if (!units_.defined()) {
      drawn_.assign(static_cast<std::size_t>(n_), nullptr);
      for (std::size_t s = 0; s < rows.size(); ++s) {
        drawn_[rows[s]] =
            drawn_units_.data<float>() + static_cast<std::int64_t>(s) * drawn_units_.size(1);
      }
    }
    return kmeans(drawn_units_, {f_.clusters, 1, 15, seed_}).centres;
  }

  // Fills cluster and novelty, and typicality with the mean distance.
  void search(const std::vector<std::int64_t>& sample) {
    const Tensor centres = cluster_centres(), among = units(sample);
    std::vector<std::int64_t> place(static_cast<std::size_t>(n_), -1), rows, self;
    for (std::size_t s = 0; s < sample.size(); ++s) place[sample[s]] = static_cast<std::int64_t>(s);
    const std::int64_t k = std::min(kNeighbours, std::ssize(sample) - 1);
    std::vector<char> asked(static_cast<std::size_t>(n_), 1);
    std::fill(asked.begin(), asked.begin() + known_, 0);
    if (known_ > 0) {
      for (const std::int64_t i : draw(std::min(kSample, known_), known_)) asked[i] = 1;
    }
    for (std::int64_t start = 0; start < n_; start += kBlock) {
      rows.clear();
      self.clear();
      for (std::int64_t i = start; i < std::min(n_, start + kBlock); ++i) rows.push_back(i);
      Tensor x = units(rows);
      if (f_.clusters > 1) {
        const Neighbours nearest_centre = nearest(x, centres, 1, Metric::euclidean);
        for (std::size_t b = 0; b < rows.size(); ++b) f_.cluster[rows[b]] = nearest_centre.index[b];
      }
      if (known_ > 0) {
        std::erase_if(rows, [&](std::int64_t i) { return !asked[i]; });
        if (rows.empty()) continue;
        x = units(rows);
      }
      for (const std::int64_t i : rows) self.push_back(place[i]);
      if (k < 1) continue;
      const Neighbours near = nearest(x, among, k, Metric::euclidean, self);
      for (std::size_t b = 0; b < rows.size(); ++b) {
        if (silent_[rows[b]]) continue;
        const float* d = near.distance.data() + b * near.k;
        f_.typicality[rows[b]] = std::accumulate(d, d + near.k, 0.) / static_cast<double>(near.k);
        // Unit rows: |x - y|^2 = 2 (1 - cos).
        f_.novelty[rows[b]] = std::clamp(double(d[0]) * d[0] / 2, 0., 1.);
      }
    }
  }

  const TokenRows& tokens_;
  const std::span<const char> silent_;
  const std::int64_t n_, known_;
  const std::uint64_t seed_;
  Tensor units_;
  std::vector<float> idf_;
  Tensor drawn_units_;               // of the records that the centres are sought among
  std::vector<const float*> drawn_;  // where a record's stands in it; of words only
  NeighbourFeatures f_;
};

}  // namespace

NeighbourFeatures neighbour_features(const TokenRows& tokens, const Tensor& embeddings,
                                     std::span<const char> silent,
                                     std::span<const std::int64_t> group, double near_duplicate,
                                     std::uint64_t seed, std::int64_t known) {
  return NeighbourSearch(tokens, embeddings, silent, seed, known).run(group, near_duplicate);
}

}  // namespace athanor::distill
