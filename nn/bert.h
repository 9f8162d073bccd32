// BERT (Devlin et al. 2019) under the parameter names of Hugging Face's BertModel, so that its
// checkpoints (all-MiniLM-L6-v2, say) load as they are.
#pragma once

#include <memory>

#include "nn/transformer.h"

namespace athanor::nn {

// The defaults are BERT-base's; names follow Hugging Face's config.json.
struct BertConfig {
  std::int64_t vocab_size = 30522;
  std::int64_t hidden_size = 768;
  std::int64_t num_hidden_layers = 12;
  std::int64_t num_attention_heads = 12;
  std::int64_t intermediate_size = 3072;
  std::int64_t max_position_embeddings = 512;
  std::int64_t type_vocab_size = 2;
  double layer_norm_eps = 1e-12;
  double hidden_dropout_prob = 0.1;
  // 0 keeps the fused attention in training; Hugging Face's default is 0.1.
  double attention_probs_dropout_prob = 0;
  bool pooler = true;  // whether the checkpoint has pooler.dense
};

class Bert final : public Module {
 public:
  Bert(const BertConfig& config, Generator& generator);
  const BertConfig& config() const { return config_; }

  // ids i64 [B, L], nothing of which is padding -> last hidden states [B, L, hidden_size].
  Variable forward(const Variable& ids) override { return encode(ids.tensor(), {}); }
  // The tokens of record b from lengths[b] on are padding; lengths i64 [B] or undefined. `types`
  // i64 [B, L], zeros if undefined. Throws for more tokens than positions, and for ids out of
  // range.
  Variable encode(const Tensor& ids, const Tensor& lengths, const Tensor& types = {});
  // tanh(dense(first token)): [B, L, hidden_size] -> [B, hidden_size]. Throws without a pooler.
  Variable pooled(const Variable& hidden);
  TransformerStack& encoder() { return *encoder_; }

 private:
  BertConfig config_;
  std::shared_ptr<Embedding> words_, positions_, types_;
  std::shared_ptr<Module> norm_;
  std::shared_ptr<Dropout> dropout_;
  std::shared_ptr<TransformerStack> encoder_;
  std::shared_ptr<Linear> pooler_;
};

// The mean over the first lengths[b] places of hidden [B, L, D], all if undefined: [B, D]. What
// Sentence-BERT pools with (Reimers & Gurevych 2019). Throws for a length of 0 or above L.
Variable mean_pool(const Variable& hidden, const Tensor& lengths);

}  // namespace athanor::nn
