#include "distill/restructure/relations.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_set>
#include <utility>

#include "autograd/ops.h"
#include "nn/optim.h"
#include "tensor/ops.h"
#include "tensor/random.h"

namespace athanor::distill {
namespace {

using Rows = std::vector<std::int64_t>;

struct Pairs {
  Rows first, second;
  void add(std::int64_t i, std::int64_t j) {
    first.push_back(i);
    second.push_back(j);
  }
  void append(const Pairs& other) {
    first.insert(first.end(), other.first.begin(), other.first.end());
    second.insert(second.end(), other.second.begin(), other.second.end());
  }
};

// Draws pairs without an edge.
class OtherPairs {
 public:
  OtherPairs(std::int64_t n, const std::vector<GraphEdge>& edges)
      : n_(n), adjacent_(static_cast<std::size_t>(n)) {
    for (const GraphEdge& edge : edges) {
      adjacent_[static_cast<std::size_t>(edge.i)].push_back(edge.j);
      adjacent_[static_cast<std::size_t>(edge.j)].push_back(edge.i);
      known_.insert(key(edge.i, edge.j));
    }
  }
  // Any pair that begins at i.
  void add_any(std::int64_t i, Pairs& to, Generator& generator) const {
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      const std::int64_t j = generator.next_below(n_);
      if (j != i && !known_.contains(key(i, j))) return to.add(i, j);
    }
  }
  // A pair that shares a neighbour, where there is one; else any.
  void add_near(std::int64_t i, Pairs& to, Generator& generator) const {
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      const std::int64_t l = neighbour(neighbour(i, generator), generator);
      if (l != i && !known_.contains(key(i, l))) return to.add(i, l);
    }
    add_any(i, to, generator);
  }

 private:
  static constexpr int kAttempts = 20;
  std::int64_t key(std::int64_t i, std::int64_t j) const {
    return std::min(i, j) * n_ + std::max(i, j);
  }
  std::int64_t neighbour(std::int64_t i, Generator& generator) const {
    const auto& list = adjacent_[static_cast<std::size_t>(i)];
    if (list.empty()) return i;
    return list[static_cast<std::size_t>(
        generator.next_below(static_cast<std::int64_t>(list.size())))];
  }
  std::int64_t n_;
  std::vector<std::vector<std::int32_t>> adjacent_;
  std::unordered_set<std::int64_t> known_;
};

// q and k of each head side by side, [B, heads m]. T is Tensor or Variable.
template <class T>
T queries(const T& u, const T* w) {
  return linear(u, w[0], w[1]);
}
template <class T>
T keys(const T& u, const T* w) {
  return linear(u, w[2], w[3]);
}

// A_hat of pairs (one direction): [B].
template <class T>
T pair_scores(const T& first, const T& second, const T* w, std::int64_t heads) {
  const T products = mul(queries(first, w), keys(second, w));
  const std::int64_t b = products.size(0), width = products.size(1) / heads;
  const T logits = mul(sum(reshape(products, {b, heads, width}), {2}),
                       1 / std::sqrt(static_cast<double>(width)));
  return mean(sigmoid(add(logits, w[4])), {1});
}

std::vector<float> attention_scores(const Tensor& u, const Pairs& pairs,
                                    const std::vector<Tensor>& w, std::int64_t heads) {
  const Tensor a = take_rows(u, pairs.first), b = take_rows(u, pairs.second);
  const Tensor both = pair_scores(a, b, w.data(), heads) + pair_scores(b, a, w.data(), heads);
  return both.to_vector<float>();
}

std::vector<float> inner_products(const Tensor& x, const Pairs& pairs) {
  return sum(take_rows(x, pairs.first) * take_rows(x, pairs.second), {1}).to_vector<float>();
}

// - mean(y log p + (1 - y) log(1 - p)) for the first `positive` pairs with y = 1.
Variable binary_cross_entropy(const Variable& p, std::int64_t positive) {
  constexpr double kSafe = 1e-6;
  const Variable hit = slice(p, 0, 0, positive), miss = slice(p, 0, positive, p.size(0));
  const Variable total = sum(log(hit + kSafe)) + sum(log((1 + kSafe) - miss));
  return total * (-1.0 / static_cast<double>(p.numel()));
}

// The cosine decoder: every head's logit is 8 cos - 6, with a little noise so that heads part.
std::vector<Variable> initial_weights(std::int64_t m, std::int64_t heads, Generator& generator) {
  const double scale = std::sqrt(8 * std::sqrt(static_cast<double>(m)));
  std::vector<float> identity(static_cast<std::size_t>(heads * m * m));
  for (std::int64_t row = 0; row < heads * m; ++row) {
    identity[static_cast<std::size_t>(row * m + row % m)] = static_cast<float>(scale);
  }
  const Tensor start = from_values(identity, {heads * m, m});
  const double noise = 0.1 * scale / std::sqrt(static_cast<double>(m));
  std::vector<Variable> w;
  for (int side = 0; side < 2; ++side) {
    w.emplace_back(start + random_normal({heads * m, m}, generator, 0, noise), true);
    w.emplace_back(zeros({heads * m}), true);
  }
  w.emplace_back(full({heads}, -6), true);
  return w;
}

}  // namespace

LinkScore link_score(const std::vector<float>& edges, const std::vector<float>& others) {
  if (edges.empty() || others.empty()) {
    fail("link_score", "expected scores of both kinds, got ", edges.size(), " and ", others.size());
  }
  std::vector<std::pair<float, bool>> all;
  for (float score : edges) all.emplace_back(score, true);
  for (float score : others) all.emplace_back(score, false);
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  const double positives = static_cast<double>(edges.size());
  const double negatives = static_cast<double>(others.size());
  LinkScore score;
  double hits = 0, misses = 0;
  for (std::size_t i = 0; i < all.size();) {  // one group of equal scores at a time
    double hit = 0, miss = 0;
    const float value = all[i].first;
    for (; i < all.size() && all[i].first == value; ++i) ++(all[i].second ? hit : miss);
    score.auc += miss * (hits + hit / 2) / (positives * negatives);
    hits += hit;
    misses += miss;
    score.ap += hit / positives * hits / (hits + misses);
  }
  return score;
}

Tensor Relations::attention(const Rows& rows) const {
  const Tensor u = take_rows(directions_, rows);
  const Tensor q = queries(u, weights_.data()), k = keys(u, weights_.data());
  const std::int64_t b = u.size(0), m = u.size(1);
  Tensor total = zeros({b, b});
  for (std::int64_t h = 0; h < heads_; ++h) {
    const Tensor qh = slice(q, 1, h * m, (h + 1) * m), kh = slice(k, 1, h * m, (h + 1) * m);
    const Tensor logits = mul(matmul(qh, transpose(kh)), 1 / std::sqrt(static_cast<double>(m)));
    add_(total, sigmoid(logits + select(weights_[4], 0, h)));
  }
  Tensor out = contiguous(mul(total + transpose(total), 0.5 / static_cast<double>(heads_)));
  for (std::int64_t i = 0; i < b; ++i) out.data<float>()[i * b + i] = 1;
  return out;
}

Relations fit_relations(const Tensor& codes, const std::vector<GraphEdge>& edges,
                        const RelationsOptions& options) {
  if (edges.size() < 20) {
    fail("fit_relations", "expected at least 20 edges, got ", edges.size());
  }
  if (options.heads < 1 || options.batch < 1 || !(options.held_out > 0 && options.held_out < 1)) {
    raise(ErrorKind::usage,
          "[fit_relations] expected heads and batch >= 1 and held_out in (0, 1), got ",
          options.heads, ", ", options.batch, " and ", options.held_out);
  }
  Generator generator(options.seed);
  Relations out;
  out.heads_ = options.heads;
  out.directions_ = unit_rows(codes);
  const OtherPairs others(codes.size(0), edges);
  const auto count = static_cast<std::int64_t>(edges.size());
  const Rows order = random_permutation(count, generator).to_vector<std::int64_t>();
  const auto held = std::max<std::int64_t>(
      1, static_cast<std::int64_t>(options.held_out * static_cast<double>(count)));
  Pairs test_edges, test_others;
  for (std::int64_t e = 0; e < held; ++e) {
    const GraphEdge& edge = edges[static_cast<std::size_t>(order[static_cast<std::size_t>(e)])];
    test_edges.add(edge.i, edge.j);
    if (e % 2) {
      others.add_near(edge.i, test_others, generator);
    } else {
      others.add_any(edge.i, test_others, generator);
    }
  }
  if (test_others.first.empty()) fail("fit_relations", "expected a pair without an edge, got none");

  std::vector<Variable> leaves = initial_weights(codes.size(1), options.heads, generator);
  nn::AdamWOptions decay;
  decay.weight_decay = options.weight_decay;
  nn::AdamW adam(leaves, decay);
  const std::int64_t training = count - held;
  const std::int64_t batches = (training + options.batch - 1) / options.batch;
  for (int epoch = 0; epoch < options.epochs; ++epoch) {
    const Rows shuffled = random_permutation(training, generator).to_vector<std::int64_t>();
    for (std::int64_t b = 0; b < batches; ++b) {
      Pairs hits, misses;
      for (std::int64_t s = b * options.batch; s < std::min((b + 1) * options.batch, training);
           ++s) {
        const auto at = static_cast<std::size_t>(held + shuffled[static_cast<std::size_t>(s)]);
        const GraphEdge& edge = edges[static_cast<std::size_t>(order[at])];
        const bool turned = generator.next_below(2) == 1;  // an edge has no direction
        hits.add(turned ? edge.j : edge.i, turned ? edge.i : edge.j);
        others.add_any(hits.first.back(), misses, generator);
        others.add_near(hits.first.back(), misses, generator);
      }
      const auto positive = static_cast<std::int64_t>(hits.first.size());
      hits.append(misses);
      const Variable p = pair_scores(Variable(take_rows(out.directions_, hits.first)),
                                     Variable(take_rows(out.directions_, hits.second)),
                                     leaves.data(), options.heads);
      for (Variable& leaf : leaves) leaf.zero_grad();
      binary_cross_entropy(p, positive).backward();
      const double left =
          1 - (epoch + static_cast<double>(b) / static_cast<double>(batches)) / options.epochs;
      adam.step(options.lr * left);
    }
  }

  for (const Variable& leaf : leaves) out.weights_.push_back(leaf.tensor());
  out.report_.edges = count;
  out.report_.held_out = held;
  out.report_.attention =
      link_score(attention_scores(out.directions_, test_edges, out.weights_, out.heads_),
                 attention_scores(out.directions_, test_others, out.weights_, out.heads_));
  out.report_.cosine = link_score(inner_products(out.directions_, test_edges),
                                  inner_products(out.directions_, test_others));
  out.report_.inner_product =
      link_score(inner_products(codes, test_edges), inner_products(codes, test_others));
  return out;
}

}  // namespace athanor::distill
