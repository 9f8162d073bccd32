// Multi-head attention (Vaswani et al. 2017): self and cross, causal, with padding, grouped keys
// and values, rotary or relative positions, and a cache for generation.
#pragma once

#include <memory>
#include <string>

#include "nn/layers.h"

namespace athanor::nn {

// Which keys a query may look at. What is left undefined allows all; the parts add up. A query that
// may look at nothing gets zeros.
struct AttentionMask {
  bool causal = false;  // query i looks at keys up to Lk - Lq + i
  Tensor key_lengths;   // i64 [B]: the keys of record b from this number on are padding
  Tensor allowed;       // bool, broadcast to [B, H, Lq, Lk]
  Variable bias;        // added to the scores, broadcast to [B, H, Lq, Lk]; may be trained
};

// softmax(q k^T scale + mask) v for q [B, H, Lq, D], k [B, Hk, Lk, D] and v [B, Hk, Lk, E], where
// Hk divides H and consecutive heads share keys and values (grouped queries; Ainslie et al. 2023):
// [B, H, Lq, E]. Runs on the fused operation (autograd/ops/attention.h), which never holds the
// [Lq, Lk] scores, unless `drop` sets some of the probabilities to 0.
Variable attend(const Variable& q, const Variable& k, const Variable& v, const AttentionMask& mask,
                double scale, const std::shared_ptr<Dropout>& drop = {});
// The plain form of it, which holds the scores: what `drop` needs, and what the fused one is
// compared with.
Variable attend_plain(const Variable& q, const Variable& k, const Variable& v,
                      const AttentionMask& mask, double scale,
                      const std::shared_ptr<Dropout>& drop = {});

// The keys and values of the tokens so far of one attention layer, for inference.
class KeyValueCache {
 public:
  KeyValueCache() = default;
  // Room for `capacity` tokens.
  explicit KeyValueCache(std::int64_t capacity) : capacity_(capacity) {}
  std::int64_t length() const { return length_; }
  // Adds k and v [B, H, L, D] and sets them to all tokens so far. Throws beyond the capacity.
  void append(Tensor& k, Tensor& v);

 private:
  Tensor keys_, values_;  // [B, H, capacity, D]
  std::int64_t capacity_ = 0, length_ = 0;
};

struct MultiHeadOptions {
  std::int64_t width = 0;            // of the queries' input and of the result
  std::int64_t heads = 1;            // divides width
  std::int64_t key_value_heads = 0;  // divides heads; 0 = heads
  std::int64_t memory_width = 0;     // of the keys' and values' input; 0 = width
  bool bias = true;                  // of the four projections
  bool causal = false;
  double dropout = 0;            // of the attention probabilities
  bool rotary = false;           // positions turn queries and keys (Su et al. 2021)
  double rotary_base = 10000;    // the slowest of the D / 2 angles is about 1 / this
  bool fused = true;             // false: the plain form, for comparison
  std::int64_t relative = 0;     // > 0: a trained bias by head and distance, clipped to +-this
  std::string query = "q_proj";  // the projections' names in the state dict
  std::string key = "k_proj";
  std::string value = "v_proj";
  std::string output = "out_proj";
};

class MultiHeadAttention final : public Module {
 public:
  MultiHeadAttention(const MultiHeadOptions& options, Generator& generator);

  // Self-attention: [B, L, width] -> [B, L, width].
  Variable forward(const Variable& x) override { return attend_to(x, x, {}); }
  // Queries from x [B, Lq, width], keys and values from memory [B, Lk, memory_width]. With a cache,
  // memory holds the new tokens only; gradients must be off.
  Variable attend_to(const Variable& x, const Variable& memory, AttentionMask mask,
                     KeyValueCache* cache = nullptr);

 private:
  // [B, L, heads D] -> [B, heads, L, D]
  Variable heads(const Variable& x, std::int64_t count) const;
  Variable relative_bias(std::int64_t queries, std::int64_t keys) const;

  MultiHeadOptions options_;
  std::int64_t head_width_ = 0;
  std::shared_ptr<Linear> query_, key_, value_, output_;
  std::shared_ptr<Dropout> dropout_;
  Parameter relative_;  // [2 relative + 1, heads]
};

// Turns the pairs (x_i, x_{i + D/2}) of x [B, H, L, D] by the angle (first + l) base^(-2i / D) at
// place l. D even.
Variable rotate_by_position(const Variable& x, std::int64_t first, double base);

}  // namespace athanor::nn
