#include "nn/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "autograd/ops.h"
#include "nn/init.h"
#include "tensor/ops/device.h"

namespace athanor::nn {
namespace {

// allowed[l, m] = m <= l + (keys - queries), [queries, keys]
Tensor causal_mask(std::int64_t queries, std::int64_t keys) {
  Tensor allowed = empty({queries, keys}, DType::boolean);
  bool* out = allowed.data<bool>();
  for (std::int64_t l = 0; l < queries; ++l) {
    for (std::int64_t m = 0; m < keys; ++m) out[l * keys + m] = m <= l + keys - queries;
  }
  return allowed;
}

// allowed[b, 0, 0, m] = m < lengths[b]
Tensor padding_mask(const Tensor& lengths, std::int64_t batch, std::int64_t keys) {
  if (lengths.rank() != 1 || lengths.numel() != batch || lengths.dtype() != DType::i64) {
    fail("attend", "expected key_lengths i64 [", batch, "], got ", describe(lengths));
  }
  Tensor allowed = empty({batch, 1, 1, keys}, DType::boolean);
  bool* out = allowed.data<bool>();
  const std::vector<std::int64_t> length = lengths.to_vector<std::int64_t>();
  for (std::int64_t b = 0; b < batch; ++b) {
    for (std::int64_t m = 0; m < keys; ++m) {
      out[b * keys + m] = m < length[static_cast<std::size_t>(b)];
    }
  }
  return allowed;
}

// [B, Hk, L, D] -> [B, heads, L, D]: each head of keys serves heads / Hk consecutive queries.
Variable repeat_heads(const Variable& x, std::int64_t heads) {
  const std::int64_t own = x.size(1);
  if (own == heads) return x;
  const Shape grouped{x.size(0), own, heads / own, x.size(2), x.size(3)};
  return reshape(expand(unsqueeze(x, 2), grouped), {x.size(0), heads, x.size(2), x.size(3)});
}

void check_heads(const Variable& q, const Variable& k, const Variable& v) {
  const bool ranks = q.rank() == 4 && k.rank() == 4 && v.rank() == 4;
  if (ranks && k.size(0) == q.size(0) && v.size(0) == q.size(0) && k.size(1) == v.size(1) &&
      q.size(1) % k.size(1) == 0 && k.size(2) == v.size(2) && q.size(3) == k.size(3)) {
    return;
  }
  fail("attend", "expected q [B, H, Lq, D], k [B, Hk, Lk, D], v [B, Hk, Lk, E], got ",
       describe(q.tensor()), ", ", describe(k.tensor()), ", ", describe(v.tensor()));
}

}  // namespace

Variable attend(const Variable& q, const Variable& k, const Variable& v, const AttentionMask& mask,
                double scale, const std::shared_ptr<Dropout>& drop) {
  if (drop) return attend_plain(q, k, v, mask, scale, drop);
  check_heads(q, k, v);
  AttentionOptions options;
  options.causal = mask.causal;
  options.scale = scale;
  options.key_lengths = mask.key_lengths;
  Variable bias = mask.bias;
  if (mask.allowed.defined()) {
    const Tensor allowed = where(mask.allowed, scalar(0, q.dtype()),
                                 scalar(-std::numeric_limits<double>::infinity(), q.dtype()));
    bias = bias.defined() ? bias + Variable(allowed) : Variable(allowed);
  }
  return attention(q, k, v, options, bias);
}

Variable attend_plain(const Variable& q, const Variable& k, const Variable& v,
                      const AttentionMask& mask, double scale,
                      const std::shared_ptr<Dropout>& drop) {
  check_heads(q, k, v);
  const std::int64_t H = q.size(1), Lq = q.size(2), Lk = k.size(2);
  Variable scores = matmul(q * scale, transpose(repeat_heads(k, H)));
  if (mask.bias.defined()) scores = scores + mask.bias;
  std::vector<Tensor> parts;
  if (mask.causal && Lq > 1) parts.push_back(to(causal_mask(Lq, Lk), q.device()));
  if (mask.key_lengths.defined()) {
    parts.push_back(to(padding_mask(mask.key_lengths, q.size(0), Lk), q.device()));
  }
  if (mask.allowed.defined()) parts.push_back(mask.allowed);
  for (const Tensor& allowed : parts) {
    // Finite, so that a row without any key stays free of NaN; it is cleared below.
    scores = masked_fill(scores, logical_not(allowed), std::numeric_limits<float>::lowest());
  }
  Variable probabilities = softmax(scores);
  for (const Tensor& allowed : parts) {
    probabilities = masked_fill(probabilities, logical_not(allowed), 0);
  }
  if (drop) probabilities = drop->forward(probabilities);
  return matmul(probabilities, repeat_heads(v, H));
}

void KeyValueCache::append(Tensor& k, Tensor& v) {
  const std::int64_t B = k.size(0), H = k.size(1), L = k.size(2);
  if (length_ + L > capacity_) {
    fail("KeyValueCache", "expected at most ", capacity_, " tokens, got ", length_ + L);
  }
  if (!keys_.defined()) {
    keys_ = empty({B, H, capacity_, k.size(3)}, k.dtype());
    values_ = empty({B, H, capacity_, v.size(3)}, v.dtype());
  }
  Tensor new_keys = slice(keys_, 2, length_, length_ + L);
  Tensor new_values = slice(values_, 2, length_, length_ + L);
  copy_(new_keys, k);
  copy_(new_values, v);
  length_ += L;
  k = slice(keys_, 2, 0, length_);
  v = slice(values_, 2, 0, length_);
}

MultiHeadAttention::MultiHeadAttention(const MultiHeadOptions& options, Generator& generator)
    : options_(options) {
  MultiHeadOptions& o = options_;
  if (o.key_value_heads == 0) o.key_value_heads = o.heads;
  if (o.memory_width == 0) o.memory_width = o.width;
  check_sizes("MultiHeadAttention", {o.width, o.heads, o.key_value_heads, o.memory_width});
  if (o.width % o.heads != 0 || o.heads % o.key_value_heads != 0) {
    fail("MultiHeadAttention", "expected heads that divide width ", o.width,
         " and key_value_heads that divide heads, got ", o.heads, " and ", o.key_value_heads);
  }
  head_width_ = o.width / o.heads;
  if (o.rotary && head_width_ % 2 != 0) {
    fail("MultiHeadAttention", "expected an even width of a head for rotary, got ", head_width_);
  }
  const auto project = [&](const std::string& name, std::int64_t in, std::int64_t out) {
    return register_module(name, std::make_shared<Linear>(in, out, generator, o.bias));
  };
  query_ = project(o.query, o.width, o.width);
  key_ = project(o.key, o.memory_width, o.key_value_heads * head_width_);
  value_ = project(o.value, o.memory_width, o.key_value_heads * head_width_);
  output_ = project(o.output, o.width, o.width);
  if (o.relative > 0) {
    relative_ = register_parameter("relative_bias", zeros({2 * o.relative + 1, o.heads}));
  }
  if (o.dropout > 0) {
    dropout_ = register_module("dropout", std::make_shared<Dropout>(o.dropout, generator));
  }
}

Variable MultiHeadAttention::heads(const Variable& x, std::int64_t count) const {
  return transpose(reshape(x, {x.size(0), x.size(1), count, head_width_}), 1, 2);
}

Variable MultiHeadAttention::relative_bias(std::int64_t queries, std::int64_t keys) const {
  std::vector<std::int64_t> index;
  for (std::int64_t l = keys - queries; l < keys; ++l) {
    for (std::int64_t m = 0; m < keys; ++m) {
      index.push_back(std::clamp(m - l, -options_.relative, options_.relative) + options_.relative);
    }
  }
  return permute(embedding(relative_.get(), from_values(index, {queries, keys})), {2, 0, 1});
}

Variable MultiHeadAttention::attend_to(const Variable& x, const Variable& memory,
                                       AttentionMask mask, KeyValueCache* cache) {
  if (x.rank() != 3 || x.size(2) != options_.width) {
    fail("MultiHeadAttention", "expected [B, L, ", options_.width, "], got ", describe(x.tensor()));
  }
  Variable q = heads(query_->forward(x), options_.heads);
  Variable k = heads(key_->forward(memory), options_.key_value_heads);
  Variable v = heads(value_->forward(memory), options_.key_value_heads);
  if (options_.rotary) {
    const std::int64_t first = cache ? cache->length() : 0;
    q = rotate_by_position(q, first, options_.rotary_base);
    k = rotate_by_position(k, first, options_.rotary_base);
  }
  if (cache) {
    if (k.requires_grad()) fail("MultiHeadAttention", "expected no gradients with a cache");
    Tensor keys = k.tensor(), values = v.tensor();
    cache->append(keys, values);
    k = keys;
    v = values;
  }
  mask.causal = mask.causal || options_.causal;
  if (options_.relative > 0) {
    const Variable bias = relative_bias(q.size(2), k.size(2));
    mask.bias = mask.bias.defined() ? mask.bias + bias : bias;
  }
  const double scale = 1 / std::sqrt(static_cast<double>(head_width_));
  const auto drop = dropout_ && training() ? dropout_ : nullptr;
  const Variable y = options_.fused ? attend(q, k, v, mask, scale, drop)
                                    : attend_plain(q, k, v, mask, scale, drop);
  return output_->forward(reshape(transpose(y, 1, 2), x.shape()));
}

Variable rotate_by_position(const Variable& x, std::int64_t first, double base) {
  const std::int64_t L = x.size(2), D = x.size(3), half = D / 2;
  if (D % 2 != 0) fail("rotate_by_position", "expected an even last size, got ", D);
  std::vector<double> cosines, sines;
  for (std::int64_t l = 0; l < L; ++l) {
    for (std::int64_t i = 0; i < half; ++i) {
      const double power = -2 * static_cast<double>(i) / static_cast<double>(D);
      const double angle = static_cast<double>(first + l) * std::pow(base, power);
      cosines.push_back(std::cos(angle));
      sines.push_back(std::sin(angle));
    }
  }
  const Variable c = to(cast(from_values(cosines, {L, half}), x.dtype()), x.device());
  const Variable s = to(cast(from_values(sines, {L, half}), x.dtype()), x.device());
  const Variable a = slice(x, 3, 0, half), b = slice(x, 3, half, D);
  return cat({a * c - b * s, b * c + a * s}, 3);
}

}  // namespace athanor::nn
