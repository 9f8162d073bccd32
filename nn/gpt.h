// A causal language model in the manner of GPT-2 (Radford et al. 2019) or, with other settings, of
// Llama: pre-norm layers, and the table of tokens as the output layer.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "nn/transformer.h"

namespace athanor::nn {

struct GptConfig {
  std::int64_t vocabulary = 0;
  std::int64_t context = 1024;  // tokens at most
  std::int64_t width = 768;
  std::int64_t layers = 12;
  std::int64_t heads = 12;
  std::int64_t key_value_heads = 0;  // 0 = heads
  std::int64_t feed_forward = 0;     // 0 = 4 width
  bool rotary = false;               // instead of a table of positions
  bool gated = false;                // SiLU-gated feed-forward part instead of GELU
  bool bias = true;                  // of the projections
  bool tied = true;                  // the output layer is the table of tokens
  NormKind norm = NormKind::layer;
  double norm_eps = 1e-5;
  double dropout = 0;
};

// Names are GPT-2's ("wte.weight", "h.0.ln_1.weight", "h.0.mlp.c_fc.weight", "ln_f.weight") but for
// attention, whose projections are separate: "h.0.attn.q_proj.weight". Every weight is [out, in];
// gpt2_state_dict() converts a checkpoint.
class Gpt final : public Module {
 public:
  Gpt(const GptConfig& config, Generator& generator);
  const GptConfig& config() const { return config_; }

  // ids i64 [B, L] -> logits of the next token [B, L, vocabulary].
  Variable forward(const Variable& ids) override { return logits(hidden(ids.tensor())); }
  // Hidden states after the last norm, [B, L, width]. With caches, ids are the new tokens.
  Variable hidden(const Tensor& ids, KeyValueCaches* caches = nullptr);
  Variable logits(const Variable& hidden) const;
  TransformerStack& stack() { return *stack_; }

 private:
  GptConfig config_;
  std::shared_ptr<Embedding> tokens_, positions_;
  std::shared_ptr<Dropout> dropout_;
  std::shared_ptr<TransformerStack> stack_;
  std::shared_ptr<RowNormModule> norm_;
  std::shared_ptr<Linear> output_;
};

// The state dict of a Hugging Face GPT2Model or GPT2LMHeadModel under Gpt's names: attention's
// packed projection is split and weights are transposed. Tensors without a counterpart (masks, the
// tied output layer) are left out. Throws Error(bad_input) for a packed projection of odd shape.
StateDict gpt2_state_dict(const StateDict& checkpoint);

struct SamplingOptions {
  double temperature = 1;  // 0: the most likely token
  std::int64_t top_k = 0;  // > 0: only the k most likely tokens
  double top_p = 1;        // < 1: only the likeliest tokens that together reach this probability
};

// A token drawn from softmax(logits / temperature) for logits [vocabulary].
std::int64_t sample_token(const Tensor& logits, const SamplingOptions& options,
                          Generator& generator);

// Up to `count` tokens that follow `prompt`, by a cache of keys and values; at most the model's
// context. `on_token` may be empty; generation ends when it returns false. The model is put into
// evaluation mode. Throws for an empty prompt, or one that fills the context.
std::vector<std::int64_t> generate(Gpt& model, const std::vector<std::int64_t>& prompt,
                                   std::int64_t count, const SamplingOptions& options,
                                   Generator& generator,
                                   const std::function<bool(std::int64_t)>& on_token = {});

}  // namespace athanor::nn
