// Stage 2: units of knowledge (record embeddings) are clustered, compressed, and their relations
// rebuilt from the compressed form.
//
//   embeddings -> mutual kNN graph -> DBSCAN (or k-means, where DBSCAN says nothing)
//              -> autoencoder d -> d / 8 -> attention relations over the codes
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "distill/restructure/autoencoder.h"
#include "distill/restructure/dbscan.h"
#include "distill/restructure/knn_graph.h"
#include "distill/restructure/layout.h"
#include "distill/restructure/relations.h"
#include "distill/run/progress.h"
#include "tensor/tensor.h"

namespace athanor::distill {

// What a batch of students is asked to reproduce.
enum class RelationKind {
  decoded,    // cosines of the units rebuilt from their codes
  attention,  // A_hat of relations.h, near 0 for all but close neighbours
  blend,      // the mean of both
  raw,        // cosines of the units as given: without compression, for comparison
};
// From "decoded", "attention", "blend" or "raw"; another name throws usage.
RelationKind relation_kind(std::string_view name);

struct RestructureOptions {
  std::int64_t neighbours = 10;
  Metric metric = Metric::cosine;
  // Further known relations (shared key, citation, duplicate); i < j, i and j are rows.
  std::vector<GraphEdge> typed_edges;
  DbscanOptions dbscan;
  // Clusters of the fallback; 0 = the number of classes in `labels`, or of about 50 units each.
  std::int64_t kmeans_clusters = 0;
  AutoencoderOptions autoencoder;
  RelationsOptions relations;
  LayoutOptions layout;
  RelationKind relation_kind = RelationKind::decoded;
  std::uint64_t seed = 0;  // of every part
  ProgressSink* progress = nullptr;
};

// One way of clustering, for the report.
struct ClusterRow {
  std::string method;  // "dbscan" or "kmeans"
  bool used = false;
  bool degenerate = false;
  Clustering clustering;
  std::optional<ClusterQuality> quality;  // against the labels, where there are any
};

class RestructureResult {
 public:
  std::vector<ClusterRow> rows;  // DBSCAN first; k-means always beside it
  std::string cluster_method;    // of the row that is used
  Clustering clustering;         // of the row that is used
  float eps = 0;                 // of DBSCAN
  std::int64_t min_points = 0;
  KnnGraph graph;  // with the typed edges
  Tensor codes;    // [n, d / 8]
  AutoencoderReport compression;
  RelationsReport relations;
  Layout layout;
  double seconds = 0;

  // bytes of the units / bytes of the codes.
  double compression_ratio() const;
  // Soft relation targets of a batch: [B, B], symmetric, 1 on the diagonal.
  Tensor relation_targets(const std::vector<std::int64_t>& rows) const;
  // The same of a kind.
  Tensor relation_targets(const std::vector<std::int64_t>& rows, RelationKind kind) const;

 private:
  friend RestructureResult restructure(const Tensor& embeddings, const Tensor& labels,
                                       const RestructureOptions& options);
  Tensor decoded_, units_;  // unit rows
  std::optional<Relations> model_;
  RelationKind kind_ = RelationKind::decoded;
};

// embeddings: [n, d] f32, n >= 50. labels: [n] i64, or undefined; they only judge the clusters and
// name the nodes. Throws for NaN or Inf among the embeddings.
RestructureResult restructure(const Tensor& embeddings, const Tensor& labels,
                              const RestructureOptions& options = {});

// Writes graph.json, clusters.csv (row, cluster) and summary.json into the directory, which must
// exist.
void write_restructure(const std::filesystem::path& dir, const RestructureResult& result,
                       const Tensor& labels);

}  // namespace athanor::distill
