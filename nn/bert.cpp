#include "nn/bert.h"

#include <vector>

#include "autograd/ops.h"
#include "nn/init.h"
#include "nn/norm.h"
#include "tensor/ops/device.h"

namespace athanor::nn {
namespace {

TransformerOptions bert_layer_options(const BertConfig& c) {
  TransformerOptions o;
  o.attention.width = c.hidden_size;
  o.attention.heads = c.num_attention_heads;
  o.attention.dropout = c.attention_probs_dropout_prob;
  o.attention.query = "self.query";
  o.attention.key = "self.key";
  o.attention.value = "self.value";
  o.attention.output = "output.dense";
  o.feed_forward = c.intermediate_size;
  o.activation = Activation::gelu;
  o.norm_eps = c.layer_norm_eps;
  o.dropout = c.hidden_dropout_prob;
  o.names.self_attention = "attention";
  o.names.norm1 = "attention.output.LayerNorm";
  o.names.feed_forward_in = "intermediate.dense";
  o.names.feed_forward_out = "output.dense";
  o.names.norm2 = "output.LayerNorm";
  return o;
}

}  // namespace

Bert::Bert(const BertConfig& c, Generator& generator) : config_(c) {
  const auto table = [&](const char* name, std::int64_t count) {
    return register_module(name, std::make_shared<Embedding>(count, c.hidden_size, generator));
  };
  words_ = table("embeddings.word_embeddings", c.vocab_size);
  positions_ = table("embeddings.position_embeddings", c.max_position_embeddings);
  types_ = table("embeddings.token_type_embeddings", c.type_vocab_size);
  norm_ = register_module("embeddings.LayerNorm",
                          std::make_shared<LayerNorm>(c.hidden_size, c.layer_norm_eps));
  if (c.hidden_dropout_prob > 0) {
    dropout_ = register_module("embeddings.dropout",
                               std::make_shared<Dropout>(c.hidden_dropout_prob, generator));
  }
  encoder_ = register_module(
      "encoder", std::make_shared<TransformerStack>(bert_layer_options(c), c.num_hidden_layers,
                                                    generator, "layer."));
  if (c.pooler) {
    pooler_ = register_module("pooler.dense",
                              std::make_shared<Linear>(c.hidden_size, c.hidden_size, generator));
  }
  // Small weights at the start (Devlin et al. 2019), norms and biases as they are.
  for (auto& [name, parameter] : named_parameters()) {
    if (parameter.rank() < 2) continue;
    parameter.set_value(normal_weights(parameter.shape(), 0.02, generator));
  }
}

Variable Bert::encode(const Tensor& ids, const Tensor& lengths, const Tensor& types) {
  if (ids.rank() != 2 || ids.dtype() != DType::i64) {
    fail("Bert", "expected ids i64 [B, L], got ", describe(ids));
  }
  const std::int64_t L = ids.size(1);
  if (L < 1 || L > config_.max_position_embeddings) {
    fail("Bert", "expected 1 to ", config_.max_position_embeddings, " tokens, got ", L);
  }
  const Tensor kinds = types.defined() ? types : zeros(ids.shape(), DType::i64, ids.device());
  Variable x = words_->forward(ids) + types_->forward(kinds) +
               positions_->forward(arange(L, DType::i64, 0, 1, ids.device()));
  x = norm_->forward(x);
  if (dropout_) x = dropout_->forward(x);
  AttentionMask mask;
  mask.key_lengths = lengths;
  return encoder_->run(x, mask, {}, {});
}

Variable Bert::pooled(const Variable& hidden) {
  if (!pooler_) fail("Bert", "expected a model with a pooler");
  return tanh(pooler_->forward(select(hidden, 1, 0)));
}

Variable mean_pool(const Variable& hidden, const Tensor& lengths) {
  if (hidden.rank() != 3) {
    fail("mean_pool", "expected [B, L, D], got ", describe(hidden.tensor()));
  }
  if (!lengths.defined()) return mean(hidden, {1});
  const std::int64_t B = hidden.size(0), L = hidden.size(1);
  if (lengths.rank() != 1 || lengths.numel() != B || lengths.dtype() != DType::i64) {
    fail("mean_pool", "expected lengths i64 [", B, "], got ", describe(lengths));
  }
  std::vector<double> weights(static_cast<std::size_t>(B * L), 0.0);
  const std::vector<std::int64_t> length = lengths.to_vector<std::int64_t>();
  for (std::int64_t b = 0; b < B; ++b) {
    const std::int64_t n = length[static_cast<std::size_t>(b)];
    if (n < 1 || n > L) fail("mean_pool", "expected lengths in [1, ", L, "], got ", n);
    for (std::int64_t l = 0; l < n; ++l) {
      weights[static_cast<std::size_t>(b * L + l)] = 1.0 / static_cast<double>(n);
    }
  }
  const Variable w(to(cast(from_values(weights, {B, 1, L}), hidden.dtype()), hidden.device()));
  return squeeze(matmul(w, hidden), 1);
}

}  // namespace athanor::nn
