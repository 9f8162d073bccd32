#include "nn/transformer.h"

#include <cmath>

#include "autograd/checkpoint.h"
#include "autograd/ops.h"
#include "nn/init.h"
#include "nn/norm.h"

namespace athanor::nn {
namespace {

Variable activate(Activation activation, const Variable& x) {
  switch (activation) {
    case Activation::relu:
      return relu(x);
    case Activation::gelu:
      return gelu(x);
    case Activation::gelu_tanh:
      return gelu_tanh(x);
    case Activation::silu:
      return silu(x);
  }
  fail("transformer", "unknown activation");
}

}  // namespace

std::shared_ptr<RowNormModule> make_norm(NormKind kind, std::int64_t width, double eps) {
  if (kind == NormKind::rms) return std::make_shared<RmsNorm>(width, eps);
  return std::make_shared<LayerNorm>(width, eps);
}

TransformerLayer::TransformerLayer(const TransformerOptions& options, Generator& generator)
    : options_(options) {
  const TransformerNames& names = options.names;
  const std::int64_t width = options.attention.width;
  const std::int64_t inner = options.feed_forward ? options.feed_forward : 4 * width;
  check_sizes("TransformerLayer", {width, inner});
  MultiHeadOptions self = options.attention;
  self.memory_width = width;
  self_attention_ =
      register_module(names.self_attention, std::make_shared<MultiHeadAttention>(self, generator));
  if (options.cross) {
    MultiHeadOptions cross = options.attention;
    cross.causal = cross.rotary = false;  // positions of the memory are another sequence's
    cross.relative = 0;
    cross_attention_ = register_module(names.cross_attention,
                                       std::make_shared<MultiHeadAttention>(cross, generator));
  }
  const auto project = [&](const std::string& name, std::int64_t from, std::int64_t to) {
    return register_module(name,
                           std::make_shared<Linear>(from, to, generator, options.attention.bias));
  };
  in_ = project(names.feed_forward_in, width, inner);
  if (options.gated) gate_ = project(names.feed_forward_gate, width, inner);
  out_ = project(names.feed_forward_out, inner, width);
  const auto norm = [&](const std::string& name) {
    return register_module(name, make_norm(options.norm, width, options.norm_eps));
  };
  norm1_ = norm(names.norm1);
  norm2_ = norm(names.norm2);
  if (options.cross) norm3_ = norm(names.norm3);
  if (options.dropout > 0) {
    dropout_ = register_module("dropout", std::make_shared<Dropout>(options.dropout, generator));
  }
}

template <class Part>
Residual TransformerLayer::residual(const Residual& x, RowNormModule& norm, Part&& part) {
  const auto dropped = [&](const Variable& y) { return dropout_ ? dropout_->forward(y) : y; };
  if (options_.pre_norm) {
    const AddNormVariables h = norm.normalise(x);
    return {h.sum, dropped(part(h.y))};
  }
  const Variable sum = x.sum();
  return {norm.normalise({sum, dropped(part(sum))}).y, {}};
}

Variable TransformerLayer::feed_forward(const Variable& x) {
  const Variable inner = in_->forward(x);
  if (!gate_) return out_->forward(activate(options_.activation, inner));
  return out_->forward(activate(options_.activation, gate_->forward(x)) * inner);
}

Residual TransformerLayer::run_open(const Residual& x, const AttentionMask& mask,
                                    const Variable& memory, const AttentionMask& memory_mask,
                                    KeyValueCache* cache) {
  if (memory.defined() != options_.cross) {
    fail("TransformerLayer", "expected ", options_.cross ? "a" : "no", " memory, got ",
         memory.defined() ? "one" : "none");
  }
  Residual y = residual(
      x, *norm1_, [&](const Variable& h) { return self_attention_->attend_to(h, h, mask, cache); });
  if (options_.cross) {
    y = residual(y, *norm2_, [&](const Variable& h) {
      return cross_attention_->attend_to(h, memory, memory_mask);
    });
  }
  return residual(y, options_.cross ? *norm3_ : *norm2_,
                  [&](const Variable& h) { return feed_forward(h); });
}

TransformerStack::TransformerStack(const TransformerOptions& options, std::int64_t layers,
                                   Generator& generator, const std::string& prefix) {
  check_sizes("TransformerStack", {layers});
  for (std::int64_t i = 0; i < layers; ++i) {
    layers_.push_back(register_module(prefix + std::to_string(i),
                                      std::make_shared<TransformerLayer>(options, generator)));
  }
}

Residual TransformerStack::run_open(const Variable& x, const AttentionMask& mask,
                                    const Variable& memory, const AttentionMask& memory_mask,
                                    KeyValueCaches* caches) {
  if (caches && caches->size() != layers_.size()) {
    fail("TransformerStack", "expected ", layers_.size(), " caches, got ", caches->size());
  }
  Residual y{x, {}};
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    TransformerLayer& layer = *layers_[i];
    if (checkpointing_ && training() && grad_enabled()) {
      const CheckpointFunction inside = [&layer, mask, memory_mask](const auto& inputs) {
        return layer.run(inputs[0], mask, inputs.size() > 1 ? inputs[1] : Variable(), memory_mask);
      };
      std::vector<Variable> inputs{y.sum()};
      if (memory.defined()) inputs.push_back(memory);
      y = {checkpoint(inside, inputs, layer.generators()), {}};
    } else {
      y = layer.run_open(y, mask, memory, memory_mask, caches ? &(*caches)[i] : nullptr);
    }
  }
  return y;
}

}  // namespace athanor::nn
