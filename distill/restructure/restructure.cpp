#include "distill/restructure/restructure.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "distill/losses/relation.h"
#include "distill/restructure/kmeans.h"
#include "tensor/io/atomic_file.h"
#include "tensor/ops.h"

namespace athanor::distill {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kFewestUnits = 50;

std::vector<std::int64_t> label_values(const Tensor& labels) {
  return labels.defined() ? labels.to_vector<std::int64_t>() : std::vector<std::int64_t>{};
}

void check_inputs(const Tensor& embeddings, const Tensor& labels) {
  if (embeddings.rank() != 2 || embeddings.dtype() != DType::f32 ||
      embeddings.size(0) < kFewestUnits || embeddings.size(1) < 2) {
    fail("restructure", "expected embeddings [n, d] f32 with n >= ", kFewestUnits,
         " and d >= 2, got ", describe(embeddings));
  }
  if (labels.defined() && (labels.rank() != 1 || labels.dtype() != DType::i64 ||
                           labels.size(0) != embeddings.size(0))) {
    fail("restructure", "expected labels [", embeddings.size(0), "] i64, got ", describe(labels));
  }
  if (all(isfinite(embeddings)).item() == 0) {
    fail("restructure", "expected finite embeddings, got NaN or Inf");
  }
}

// The graph's edges and the typed ones, sorted, each pair once.
std::vector<GraphEdge> merged(std::vector<GraphEdge> edges, const std::vector<GraphEdge>& typed,
                              std::int64_t n) {
  for (const GraphEdge& edge : typed) {
    if (edge.i < 0 || edge.i >= edge.j || edge.j >= n) {
      fail("restructure", "expected typed edges with 0 <= i < j < ", n, ", got ", edge.i, " and ",
           edge.j);
    }
    edges.push_back(edge);
  }
  const auto key = [](const GraphEdge& edge) { return std::make_pair(edge.i, edge.j); };
  std::stable_sort(edges.begin(), edges.end(),
                   [&](const auto& a, const auto& b) { return key(a) < key(b); });
  edges.erase(std::unique(edges.begin(), edges.end(),
                          [&](const auto& a, const auto& b) { return key(a) == key(b); }),
              edges.end());
  return edges;
}

void cluster(const Tensor& embeddings, const std::vector<std::int64_t>& classes,
             const RestructureOptions& options, RestructureResult& result) {
  // On the unit sphere Euclidean distance orders pairs as the cosine does.
  const Tensor points =
      options.metric == Metric::cosine ? unit_rows(embeddings) : contiguous(embeddings);
  const DbscanResult dense = dbscan(points, options.dbscan);
  result.eps = dense.eps;
  result.min_points = dense.min_points;
  KmeansOptions kmeans_options;
  const std::int64_t n = embeddings.size(0);
  const auto distinct =
      static_cast<std::int64_t>(std::set<std::int64_t>(classes.begin(), classes.end()).size());
  kmeans_options.clusters = options.kmeans_clusters > 0 ? options.kmeans_clusters
                            : distinct > 1              ? distinct
                                                        : std::max<std::int64_t>(2, n / 50);
  kmeans_options.clusters = std::min(kmeans_options.clusters, n);
  kmeans_options.seed = options.seed;
  const KmeansResult round = kmeans(points, kmeans_options);
  result.rows.push_back({"dbscan", !dense.degenerate, dense.degenerate, dense.clustering, {}});
  result.rows.push_back({"kmeans", dense.degenerate, false, make_clustering(round.labels), {}});
  for (ClusterRow& row : result.rows) {
    if (!classes.empty()) row.quality = cluster_quality(row.clustering.labels, classes);
    if (!row.used) continue;
    result.cluster_method = row.method;
    result.clustering = row.clustering;
  }
}

Json score_json(const LinkScore& score) { return {{"auc", score.auc}, {"ap", score.ap}}; }

Json summary_json(const RestructureResult& result) {
  Json clusterings = Json::array();
  for (const ClusterRow& row : result.rows) {
    Json item = {{"method", row.method},          {"used", row.used},
                 {"degenerate", row.degenerate},  {"clusters", row.clustering.clusters},
                 {"noise", row.clustering.noise}, {"biggest", row.clustering.biggest}};
    if (row.quality) {
      item["purity"] = row.quality->purity;
      item["nmi"] = row.quality->nmi;
    }
    clusterings.push_back(std::move(item));
  }
  const AutoencoderReport& c = result.compression;
  const RelationsReport& r = result.relations;
  return {{"clusters", result.clustering.clusters},
          {"noise", result.clustering.noise},
          {"method", result.cluster_method},
          {"eps", result.eps},
          {"min_points", result.min_points},
          {"clusterings", clusterings},
          {"compression", result.compression_ratio()},
          {"bytes_before", c.bytes_before},
          {"bytes_after", c.bytes_after},
          {"decoder_bytes", c.decoder_bytes},
          {"fvu", c.fvu},
          {"pca_fvu", c.pca_fvu},
          {"recall", c.recall},
          {"pca_recall", c.pca_recall},
          {"edges", r.edges},
          {"held_out_edges", r.held_out},
          {"relation_auc", r.attention.auc},
          {"attention", score_json(r.attention)},
          {"cosine", score_json(r.cosine)},
          {"inner_product", score_json(r.inner_product)},
          {"seconds", result.seconds}};
}

}  // namespace

RelationKind relation_kind(std::string_view name) {
  if (name == "decoded") return RelationKind::decoded;
  if (name == "attention") return RelationKind::attention;
  if (name == "blend") return RelationKind::blend;
  if (name == "raw") return RelationKind::raw;
  raise(ErrorKind::usage,
        "[restructure] expected relations decoded, attention, blend or raw, got '", name, "'");
}

double RestructureResult::compression_ratio() const {
  return static_cast<double>(compression.bytes_before) /
         static_cast<double>(compression.bytes_after);
}

Tensor RestructureResult::relation_targets(const std::vector<std::int64_t>& rows) const {
  return relation_targets(rows, kind_);
}

Tensor RestructureResult::relation_targets(const std::vector<std::int64_t>& rows,
                                           RelationKind kind) const {
  if (kind == RelationKind::attention) return model_->attention(rows);
  if (kind == RelationKind::raw) return cosine_similarities(take_rows(units_, rows));
  const Tensor decoded = cosine_similarities(take_rows(decoded_, rows));
  if (kind == RelationKind::decoded) return decoded;
  return mul(decoded + model_->attention(rows), 0.5);
}

RestructureResult restructure(const Tensor& embeddings, const Tensor& labels,
                              const RestructureOptions& options) {
  check_inputs(embeddings, labels);
  const auto begun = std::chrono::steady_clock::now();
  NoProgress silent;
  ProgressTask task(options.progress ? *options.progress : silent, "restructure", 5, "parts");
  const std::vector<std::int64_t> classes = label_values(labels);
  const std::int64_t n = embeddings.size(0);
  RestructureResult result;
  result.kind_ = options.relation_kind;

  result.graph = knn_graph(embeddings, std::min(options.neighbours, n - 1), options.metric);
  result.graph.edges = merged(std::move(result.graph.edges), options.typed_edges, n);
  task.update(1, "graph");
  cluster(embeddings, classes, options, result);
  task.update(2, "clusters");
  AutoencoderOptions compress = options.autoencoder;
  compress.seed = options.seed;
  const Autoencoder autoencoder = fit_autoencoder(embeddings, compress);
  result.compression = autoencoder.report();
  result.codes = autoencoder.encode(embeddings);
  result.units_ = unit_rows(embeddings);
  result.decoded_ = unit_rows(autoencoder.decode(result.codes));
  task.update(3, "codes");
  RelationsOptions relate = options.relations;
  relate.seed = options.seed;
  result.model_ = fit_relations(result.codes, result.graph.edges, relate);
  result.relations = result.model_->report();
  task.update(4, "relations");
  LayoutOptions draw = options.layout;
  draw.seed = options.seed;
  result.layout = layout_units(embeddings, result.graph.edges, draw);
  task.update(5, "layout");
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  task.set_result(str(result.clustering.clusters, " clusters by ", result.cluster_method));
  return result;
}

void write_restructure(const std::filesystem::path& dir, const RestructureResult& result,
                       const Tensor& labels) {
  write_graph_json(dir / "graph.json", result.layout, result.clustering.labels,
                   label_values(labels));
  std::ostringstream csv;
  csv << "row,cluster\n";
  for (std::size_t row = 0; row < result.clustering.labels.size(); ++row) {
    csv << row << ',' << result.clustering.labels[row] << '\n';
  }
  write_file_atomically(dir / "clusters.csv", csv.str());
  write_file_atomically(dir / "summary.json", summary_json(result).dump(2) + "\n");
}

}  // namespace athanor::distill
