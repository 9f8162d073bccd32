#include "nn/gpt.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "autograd/ops.h"
#include "nn/init.h"
#include "tensor/ops/device.h"

namespace athanor::nn {
namespace {

TransformerOptions gpt_layer_options(const GptConfig& c) {
  TransformerOptions o;
  o.attention.width = c.width;
  o.attention.heads = c.heads;
  o.attention.key_value_heads = c.key_value_heads;
  o.attention.bias = c.bias;
  o.attention.causal = true;
  o.attention.rotary = c.rotary;
  o.attention.output = "c_proj";
  o.feed_forward = c.feed_forward;
  o.activation = c.gated ? Activation::silu : Activation::gelu_tanh;
  o.gated = c.gated;
  o.pre_norm = true;
  o.norm = c.norm;
  o.norm_eps = c.norm_eps;
  o.dropout = c.dropout;
  o.names.self_attention = "attn";
  o.names.norm1 = "ln_1";
  o.names.norm2 = "ln_2";
  o.names.feed_forward_in = "mlp.c_fc";
  o.names.feed_forward_gate = "mlp.c_gate";
  o.names.feed_forward_out = "mlp.c_proj";
  return o;
}

// "prefix.q_proj.suffix" and so on for a packed [in, 3 width] or [3 width].
void split_packed(const std::string& name, const Tensor& packed, StateDict& state) {
  const std::int64_t width = packed.size(-1) / 3;
  if (packed.size(-1) % 3 != 0 || packed.rank() > 2) {
    raise(ErrorKind::bad_input, name, ": expected [in, 3 width] or [3 width], found ",
          describe(packed));
  }
  const std::string key = "c_attn";
  const std::size_t at = name.find(key);
  for (int part = 0; part < 3; ++part) {
    const std::string own = std::string(1, "qkv"[part]) + "_proj";
    const Tensor piece = slice(packed, -1, part * width, (part + 1) * width);
    state.emplace(name.substr(0, at) + own + name.substr(at + key.size()),
                  clone(contiguous(piece.rank() == 2 ? transpose(piece) : piece)));
  }
}

}  // namespace

Gpt::Gpt(const GptConfig& c, Generator& generator) : config_(c) {
  check_sizes("Gpt", {c.vocabulary, c.context, c.width, c.layers, c.heads});
  tokens_ = register_module("wte", std::make_shared<Embedding>(c.vocabulary, c.width, generator));
  if (!c.rotary) {
    positions_ = register_module("wpe", std::make_shared<Embedding>(c.context, c.width, generator));
  }
  if (c.dropout > 0) {
    dropout_ = register_module("drop", std::make_shared<Dropout>(c.dropout, generator));
  }
  stack_ = register_module(
      "h", std::make_shared<TransformerStack>(gpt_layer_options(c), c.layers, generator, ""));
  norm_ = register_module("ln_f", make_norm(c.norm, c.width, c.norm_eps));
  if (!c.tied) {
    output_ = register_module("lm_head",
                              std::make_shared<Linear>(c.width, c.vocabulary, generator, false));
  }
  // As in GPT-2: normal with deviation 0.02, smaller where a part's result is added to the stream.
  const double inner = 0.02 / std::sqrt(2.0 * static_cast<double>(c.layers));
  for (auto& [name, parameter] : named_parameters()) {
    if (parameter.rank() == 2) {
      const double deviation = name.ends_with("c_proj.weight") ? inner : 0.02;
      parameter.set_value(normal_weights(parameter.shape(), deviation, generator));
    } else if (name.ends_with("bias")) {
      parameter.set_value(zeros(parameter.shape()));
    }
  }
}

Variable Gpt::hidden(const Tensor& ids, KeyValueCaches* caches) {
  if (ids.rank() != 2 || ids.dtype() != DType::i64 || ids.size(1) < 1) {
    fail("Gpt", "expected ids i64 [B, L], got ", describe(ids));
  }
  const std::int64_t first = caches && !caches->empty() ? caches->front().length() : 0;
  const std::int64_t L = ids.size(1);
  if (first + L > config_.context) {
    fail("Gpt", "expected at most ", config_.context, " tokens, got ", first + L);
  }
  Variable x = tokens_->forward(ids);
  if (positions_) {
    x = x + positions_->forward(arange(L, DType::i64, static_cast<double>(first), 1, x.device()));
  }
  if (dropout_) x = dropout_->forward(x);
  return norm_->normalise(stack_->run_open(x, {}, {}, {}, caches)).y;
}

Variable Gpt::logits(const Variable& hidden) const {
  return output_ ? output_->forward(hidden) : tokens_->as_output(hidden);
}

StateDict gpt2_state_dict(const StateDict& checkpoint) {
  StateDict state;
  const std::string prefix = "transformer.";
  for (const auto& [full, value] : checkpoint) {
    const std::string name = full.starts_with(prefix) ? full.substr(prefix.size()) : full;
    if (name == "lm_head.weight" || name.ends_with(".attn.bias") ||
        name.ends_with(".attn.masked_bias")) {
      continue;
    }
    if (name.find(".c_attn.") != std::string::npos) {
      split_packed(name, value, state);
    } else {
      const bool matrix = value.rank() == 2 && name.starts_with("h.");
      state.emplace(name, clone(matrix ? contiguous(transpose(value)) : value));
    }
  }
  return state;
}

std::int64_t sample_token(const Tensor& logits, const SamplingOptions& options,
                          Generator& generator) {
  if (logits.rank() != 1 || logits.numel() < 1) {
    fail("sample_token", "expected logits [vocabulary], got ", describe(logits));
  }
  if (!(options.temperature >= 0) || options.top_k < 0 || !(options.top_p > 0)) {
    fail("sample_token", "expected temperature >= 0, top_k >= 0 and top_p > 0");
  }
  const auto scores = cast(logits, DType::f64).to_vector<double>();
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  if (options.temperature == 0) return static_cast<std::int64_t>(order[0]);
  if (options.top_k > 0) {
    order.resize(std::min(order.size(), static_cast<std::size_t>(options.top_k)));
  }
  std::vector<double> weights;
  double total = 0;
  for (std::size_t token : order) {
    weights.push_back(std::exp((scores[token] - scores[order[0]]) / options.temperature));
    total += weights.back();
  }
  double kept = 0;
  std::size_t count = 0;
  while (count < weights.size() && (count == 0 || kept < options.top_p * total)) {
    kept += weights[count++];
  }
  double at = generator.next_uniform() * kept;
  for (std::size_t i = 0; i + 1 < count; ++i) {
    at -= weights[i];
    if (at < 0) return static_cast<std::int64_t>(order[i]);
  }
  return static_cast<std::int64_t>(order[count - 1]);
}

std::vector<std::int64_t> generate(Gpt& model, const std::vector<std::int64_t>& prompt,
                                   std::int64_t count, const SamplingOptions& options,
                                   Generator& generator,
                                   const std::function<bool(std::int64_t)>& on_token) {
  const auto length = static_cast<std::int64_t>(prompt.size());
  const std::int64_t context = model.config().context;
  if (length < 1 || length >= context) {
    fail("generate", "expected a prompt of 1 to ", context - 1, " tokens, got ", length);
  }
  model.eval();
  const InferenceMode inference;
  KeyValueCaches caches(model.stack().size(), KeyValueCache(context));
  std::vector<std::int64_t> tokens;
  Tensor ids = from_values(prompt, {1, length});
  while (static_cast<std::int64_t>(tokens.size()) < std::min(count, context - length)) {
    const Tensor hidden = model.hidden(ids, &caches).tensor();
    const Tensor last = slice(hidden, 1, hidden.size(1) - 1, hidden.size(1));
    const Tensor logits = reshape(model.logits(last).tensor(), {-1});
    const std::int64_t token = sample_token(logits, options, generator);
    tokens.push_back(token);
    if (on_token && !on_token(token)) break;
    ids = full({1, 1}, static_cast<double>(token), DType::i64);
  }
  return tokens;
}

}  // namespace athanor::nn
