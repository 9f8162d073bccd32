#include "distill/pretrained/sentence_encoder.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "autograd/ops.h"
#include "data/json_document.h"
#include "data/json_field.h"
#include "distill/pretrained/bert_files.h"
#include "tensor/io/mapped_file.h"
#include "tensor/ops/device.h"

namespace athanor::distill {
namespace {

namespace fs = std::filesystem;

struct Pooling {
  bool normalize = false, first_token = false;
};

// modules.json lists the steps of a sentence-transformers model; without it vectors are means.
Pooling read_pooling(const fs::path& directory) {
  Pooling pooling;
  const fs::path modules = directory / "modules.json";
  if (!fs::exists(modules)) return pooling;
  const std::string name = modules.string();
  const auto json = data::parse_json(read_file(modules), name);
  for (const data::JsonField& module : data::JsonField(json, name).elements()) {
    const std::string& type = module["type"].text();
    const std::string kind = type.substr(type.rfind('.') + 1);
    if (kind == "Normalize") {
      pooling.normalize = true;
    } else if (kind == "Pooling") {
      const fs::path path = directory / module["path"].text() / "config.json";
      const std::string config_name = path.string();
      const auto config_json = data::parse_json(read_file(path), config_name);
      const data::JsonField config(config_json, config_name);
      pooling.first_token = config["pooling_mode_cls_token"].boolean_or(false);
      const bool mean = config["pooling_mode_mean_tokens"].boolean_or(false);
      if (mean == pooling.first_token) {
        config["pooling_mode_mean_tokens"].refuse("pooling by the mean or by the first token");
      }
    } else if (kind != "Transformer") {
      module["type"].refuse("Transformer, Pooling or Normalize");
    }
  }
  return pooling;
}

std::int64_t limit_of_files(const fs::path& directory, const data::Tokenizer& tokenizer,
                            std::int64_t positions) {
  const fs::path path = directory / "sentence_bert_config.json";
  if (fs::exists(path)) {
    const std::string name = path.string();
    const auto json = data::parse_json(read_file(path), name);
    return data::JsonField(json, name)["max_seq_length"].integer_or(positions, 3, positions);
  }
  const auto& truncation = tokenizer.spec().truncation;
  return truncation
             ? std::min<std::int64_t>(static_cast<std::int64_t>(truncation->max_length), positions)
             : positions;
}

}  // namespace

SentenceEncoder SentenceEncoder::load(const fs::path& directory,
                                      const SentenceEncoderOptions& options) {
  SentenceEncoder encoder;
  encoder.tokenizer_ = std::make_shared<const data::Tokenizer>(data::Tokenizer::load(directory));
  encoder.model_ = load_bert(directory).model;
  const nn::BertConfig& config = encoder.model_->config();
  if (encoder.tokenizer_->vocabulary_size() > config.vocab_size) {
    raise(ErrorKind::bad_input, directory.string(), ": expected a tokeniser for at most ",
          config.vocab_size, " ids as in config.json, found ",
          encoder.tokenizer_->vocabulary_size());
  }
  const std::int64_t positions = config.max_position_embeddings;
  encoder.max_length_ = options.max_length > 0
                            ? options.max_length
                            : limit_of_files(directory, *encoder.tokenizer_, positions);
  if (encoder.max_length_ < 3 || encoder.max_length_ > positions) {
    raise(ErrorKind::usage, "max_length: expected 3 to ", positions, " tokens, got ",
          encoder.max_length_);
  }
  encoder.tokens_a_batch_ = std::max<std::int64_t>(options.tokens_a_batch, 0);
  const Pooling pooling = read_pooling(directory);
  encoder.normalize_ = pooling.normalize;
  encoder.pooling_ = {pooling.first_token ? TextPooling::first_token : TextPooling::mean};
  return encoder;
}

void SentenceEncoder::embed_batch(const data::TokenRows& rows, std::span<const std::int64_t> which,
                                  Tensor& out) const {
  const std::int64_t count = std::ssize(which), width = rows.length(which.front());
  Tensor ids = empty({count, width}, DType::i64), lengths = empty({count}, DType::i64);
  bool padded = false;
  for (std::int64_t b = 0; b < count; ++b) {
    const auto row = rows.row(which[static_cast<std::size_t>(b)]);
    std::int64_t* to = ids.data<std::int64_t>() + b * width;
    std::copy(row.begin(), row.end(), to);
    std::fill(to + row.size(), to + width, 0);
    lengths.data<std::int64_t>()[b] = std::ssize(row);
    padded = padded || std::ssize(row) < width;
  }
  // Without padding there is no mask to apply.
  const Tensor used = padded ? lengths : Tensor();
  const Variable hidden = cast(
      model_->encode(athanor::to(ids, device_), padded ? athanor::to(used, device_) : Tensor()),
      DType::f32);
  const std::int64_t d = model_->config().hidden_size;
  const bool scaled = normalize_ || pooling_.size() > 1;
  for (std::size_t part = 0; part < pooling_.size(); ++part) {
    const TextPooling pooling = pooling_[part];
    // The shortest row is [CLS] and [SEP], so that there is a second token.
    const Variable vectors = pooling == TextPooling::mean
                                 ? nn::mean_pool(hidden, used)
                                 : select(hidden, 1, pooling == TextPooling::first_word ? 1 : 0);
    const Tensor pooled = contiguous(cast(athanor::to(vectors.tensor(), Device{}), DType::f32));
    for (std::int64_t b = 0; b < count; ++b) {
      const float* from = pooled.data<float>() + b * d;
      float* to = out.data<float>() + which[static_cast<std::size_t>(b)] * out.size(1) +
                  static_cast<std::int64_t>(part) * d;
      double square = 0;
      for (std::int64_t i = 0; i < d; ++i) square += double(from[i]) * from[i];
      const double scale = scaled ? 1 / std::max(std::sqrt(square), 1e-12) : 1;
      for (std::int64_t i = 0; i < d; ++i) to[i] = static_cast<float>(from[i] * scale);
    }
  }
}

void SentenceEncoder::set_pooling(std::vector<TextPooling> pooling) {
  if (pooling.empty()) fail("SentenceEncoder", "expected at least one pooling, got none");
  pooling_ = std::move(pooling);
}

void SentenceEncoder::to(Device device) {
  model_->to(device);
  device_ = device;
}

std::size_t SentenceEncoder::batch_from(const data::TokenRows& rows,
                                        std::span<const std::int64_t> order) const {
  // Enough tokens to fill the machine; on the CPU no more than its caches hold.
  const std::int64_t limit = tokens_a_batch_ > 0   ? tokens_a_batch_
                             : device_ == Device{} ? 512
                                                   : 8192;
  const std::int64_t longest = std::max<std::int64_t>(rows.length(order.front()), 1);
  std::size_t count = 1;
  for (; count < order.size(); ++count) {
    const std::int64_t tokens = std::ssize(order.first(count)) * longest;
    if (tokens + longest > limit) break;
    // Past half of it, another batch costs less than much padding.
    if (2 * tokens >= limit && 10 * rows.length(order[count]) < 9 * longest) break;
  }
  return count;
}

Tensor SentenceEncoder::embed(std::span<const std::string> texts) const {
  const InferenceMode inference;
  data::EncodeOptions options;
  options.max_length = static_cast<std::size_t>(max_length_);
  const data::TokenRows rows = tokenizer_->encode_batch(texts, options);
  std::vector<std::int64_t> order(texts.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int64_t a, std::int64_t b) { return rows.length(a) > rows.length(b); });
  Tensor out = empty({std::ssize(texts), width()});
  for (std::size_t begin = 0; begin < order.size();) {
    const std::size_t end = begin + batch_from(rows, std::span(order).subspan(begin));
    embed_batch(rows, std::span(order).subspan(begin, end - begin), out);
    begin = end;
  }
  return out;
}

}  // namespace athanor::distill
