// Transformer layers: encoder and decoder, norm before or after each part (Vaswani et al. 2017;
// Xiong et al. 2020).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nn/attention.h"
#include "nn/norm.h"

namespace athanor::nn {

enum class Activation { relu, gelu, gelu_tanh, silu };
enum class NormKind { layer, rms };

// Names in the state dict; the defaults are those of PyTorch's TransformerDecoderLayer.
struct TransformerNames {
  std::string self_attention = "self_attn";
  std::string cross_attention = "multihead_attn";
  std::string feed_forward_in = "linear1";
  std::string feed_forward_gate = "linear_gate";
  std::string feed_forward_out = "linear2";
  std::string norm1 = "norm1";  // of self-attention
  std::string norm2 = "norm2";  // of cross-attention; of the feed-forward part without one
  std::string norm3 = "norm3";  // of the feed-forward part after cross-attention
};

struct TransformerOptions {
  MultiHeadOptions attention;     // of self-attention; causal makes a decoder
  bool cross = false;             // attends to a memory as well
  std::int64_t feed_forward = 0;  // width inside the feed-forward part; 0 = 4 width
  Activation activation = Activation::relu;
  bool gated = false;     // out(act(gate x) * in x) (Shazeer 2020)
  bool pre_norm = false;  // x + part(norm(x)) instead of norm(x + part(x))
  NormKind norm = NormKind::layer;
  double norm_eps = 1e-5;
  double dropout = 0;  // of what each part adds
  TransformerNames names;
};

std::shared_ptr<RowNormModule> make_norm(NormKind kind, std::int64_t width, double eps);

class TransformerLayer final : public Module {
 public:
  TransformerLayer(const TransformerOptions& options, Generator& generator);

  // [B, L, width] -> [B, L, width], without masks beyond the options'.
  Variable forward(const Variable& x) override { return run(x, {}, {}, {}); }
  // memory [B, Lm, memory_width] is defined exactly when options.cross is set.
  Variable run(const Variable& x, const AttentionMask& mask, const Variable& memory,
               const AttentionMask& memory_mask, KeyValueCache* cache = nullptr) {
    return run_open({x, {}}, mask, memory, memory_mask, cache).sum();
  }
  // The same from and to a sum that is left to the next normalisation.
  Residual run_open(const Residual& x, const AttentionMask& mask, const Variable& memory,
                    const AttentionMask& memory_mask, KeyValueCache* cache = nullptr);

 private:
  // norm(x + part(x)) or x + part(norm(x))
  template <class Part>
  Residual residual(const Residual& x, RowNormModule& norm, Part&& part);
  Variable feed_forward(const Variable& x);

  TransformerOptions options_;
  std::shared_ptr<MultiHeadAttention> self_attention_, cross_attention_;
  std::shared_ptr<Linear> in_, gate_, out_;
  std::shared_ptr<RowNormModule> norm1_, norm2_, norm3_;
  std::shared_ptr<Dropout> dropout_;
};

// One cache a layer.
using KeyValueCaches = std::vector<KeyValueCache>;

// Layers one after another, named prefix + "0", "1", ...
class TransformerStack final : public Module {
 public:
  TransformerStack(const TransformerOptions& options, std::int64_t layers, Generator& generator,
                   const std::string& prefix = "layers.");
  Variable forward(const Variable& x) override { return run(x, {}, {}, {}); }
  Variable run(const Variable& x, const AttentionMask& mask, const Variable& memory,
               const AttentionMask& memory_mask, KeyValueCaches* caches = nullptr) {
    return run_open(x, mask, memory, memory_mask, caches).sum();
  }
  // The same; the last sum is left to a normalisation that follows.
  Residual run_open(const Variable& x, const AttentionMask& mask, const Variable& memory,
                    const AttentionMask& memory_mask, KeyValueCaches* caches = nullptr);
  // In training, each layer's inside is computed again in backward instead of being kept
  // (autograd/checkpoint.h).
  void set_checkpointing(bool on) { checkpointing_ = on; }
  std::size_t size() const { return layers_.size(); }

 private:
  std::vector<std::shared_ptr<TransformerLayer>> layers_;
  bool checkpointing_ = false;
};

}  // namespace athanor::nn
