// Relations between units, rebuilt from their codes by multi-head attention:
//   A_hat_ij = mean over heads of sigmoid(q_i k_j^T / sqrt(d_head) + b),   q = W_q u + a,  k = W_k
//   u + c,
// with u the code scaled to length 1, trained to tell the edges of the topology graph from pairs
// that are none. The start is W_q = W_k = a multiple of the identity, which is the cosine decoder.
#pragma once

#include <cstdint>
#include <vector>

#include "distill/restructure/knn_graph.h"
#include "tensor/tensor.h"

namespace athanor::distill {

struct RelationsOptions {
  std::int64_t heads = 4;
  double held_out = 0.1;  // share of the edges that only measure
  int epochs = 30;
  std::int64_t batch = 256;  // edges a step, with two pairs without an edge for each
  double lr = 2e-2;
  double weight_decay = 1e-4;
  std::uint64_t seed = 0;
};

// Area under the ROC curve (ties count one half) and average precision.
struct LinkScore {
  double auc = 0;
  double ap = 0;
};
// Scores of pairs with and without an edge, neither empty.
LinkScore link_score(const std::vector<float>& edges, const std::vector<float>& others);

// On held-out edges against as many pairs without an edge, half of them drawn from all pairs and
// half from pairs that share a neighbour, which are hard to tell from edges.
struct RelationsReport {
  std::int64_t edges = 0, held_out = 0;
  LinkScore attention, cosine, inner_product;  // the last two: plain decoders of the same codes
};

class Relations {
 public:
  // A_hat of the given units: [B, B], symmetric, 1 on the diagonal.
  Tensor attention(const std::vector<std::int64_t>& rows) const;
  const RelationsReport& report() const { return report_; }

 private:
  friend Relations fit_relations(const Tensor& codes, const std::vector<GraphEdge>& edges,
                                 const RelationsOptions& options);
  Tensor directions_;  // u: [n, m]
  std::int64_t heads_ = 1;
  std::vector<Tensor> weights_;  // W_q [heads m, m], a, W_k, c, b [heads]
  RelationsReport report_;
};

// Fits to codes [n, m] f32 and undirected edges between them (i < j, none twice), at least 20.
Relations fit_relations(const Tensor& codes, const std::vector<GraphEdge>& edges,
                        const RelationsOptions& options = {});

}  // namespace athanor::distill
