// Density clustering: DBSCAN (Ester et al. 1996).
#pragma once

#include <cstdint>
#include <vector>

#include "tensor/tensor.h"

namespace athanor::distill {

struct DbscanOptions {
  float eps = 0;                // radius; 0 = the knee of the k-distance curve
  std::int64_t min_points = 0;  // within eps, the point itself included; 0 = max(4, ceil ln n)
};

struct Clustering {
  std::vector<std::int32_t> labels;  // 0 ... clusters - 1, or -1 for noise
  std::int32_t clusters = 0;
  std::int64_t noise = 0;    // points of label -1
  std::int64_t biggest = 0;  // points of the biggest cluster
};

struct DbscanResult {
  Clustering clustering;
  float eps = 0;
  std::int64_t min_points = 0;
  // The biggest cluster or the noise holds more than half of the points: the result says nothing.
  bool degenerate = false;
};

// Clusters points [n, d] f32 by Euclidean distance; a k-d tree answers the queries. The result does
// not depend on the order of work: a border point joins the cluster of its nearest core point
// (ties: the lower index), and clusters are numbered by their first core point.
DbscanResult dbscan(const Tensor& points, const DbscanOptions& options = {});

// Index of the knee of a rising curve: the point farthest below the chord from its first to its
// last value, both axes scaled to [0, 1] (Satopaa et al. 2011). Throws for an empty curve.
std::size_t knee(const std::vector<float>& rising);

// Counts clusters, noise and the biggest cluster of labels numbered from 0.
Clustering make_clustering(std::vector<std::int32_t> labels);

struct ClusterQuality {
  double purity = 0;  // share of the clustered points in the majority class of their cluster
  double nmi = 0;     // mutual information / mean of the entropies; noise counts as one cluster
};
// Against classes, one for each label; both of one size.
ClusterQuality cluster_quality(const std::vector<std::int32_t>& labels,
                               const std::vector<std::int64_t>& classes);

}  // namespace athanor::distill
