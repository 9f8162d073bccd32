// Sentence embeddings of a pretrained encoder: tokens, BERT, pooling.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/text/tokenizer.h"
#include "nn/bert.h"

namespace athanor::distill {

struct SentenceEncoderOptions {
  // Tokens of a text with [CLS] and [SEP]; what is longer is cut. 0: as the model's files say
  // (sentence_bert_config.json, else tokenizer.json, else all positions).
  std::int64_t max_length = 0;
  // Tokens of one batch with padding, at most; 0: as the device likes (512 on the CPU, 8192 on a
  // GPU). Texts are sorted by length first, so that padding is rare.
  std::int64_t tokens_a_batch = 0;
};

// What of a BERT's last hidden states stands for a text.
enum class TextPooling {
  mean,         // of all tokens (Reimers & Gurevych 2019), as all-MiniLM-L6-v2 is used
  first_token,  // [CLS]
  first_word,   // the token behind it: the first piece of the first word, read in its context
};

// Vectors of texts. Embedding texts from several threads at once is safe.
class SentenceEncoder {
 public:
  // A folder with config.json, safetensors, and tokenizer.json or vocab.txt. modules.json and
  // 1_Pooling/config.json of sentence-transformers count where they are: pooling by mean or by the
  // first token, and Normalize. Errors are bad_input.
  static SentenceEncoder load(const std::filesystem::path& directory,
                              const SentenceEncoderOptions& options = {});

  // f32 [texts, width()], whatever an Autocast scope has the products computed in. Throws bad_input
  // naming the index of a text that is no UTF-8.
  Tensor embed(std::span<const std::string> texts) const;

  std::int64_t width() const { return model_->config().hidden_size * std::ssize(pooling_); }
  std::int64_t max_length() const { return max_length_; }
  const data::Tokenizer& tokenizer() const { return *tokenizer_; }
  const std::shared_ptr<nn::Bert>& model() const { return model_; }
  // Whether vectors are scaled to length 1.
  bool normalize() const { return normalize_; }
  void set_normalize(bool on) { normalize_ = on; }
  // Instead of what the files say; several stand one behind the other, each scaled to length 1, so
  // that each counts alike. Throws for none.
  void set_pooling(std::vector<TextPooling> pooling);
  // Where the model computes; vectors are on the CPU.
  void to(Device device);

 private:
  SentenceEncoder() = default;
  // How many of `order` (rows by falling length) go into the next batch.
  std::size_t batch_from(const data::TokenRows& rows, std::span<const std::int64_t> order) const;
  // Vectors of the rows `which` of `rows` go to the same rows of out.
  void embed_batch(const data::TokenRows& rows, std::span<const std::int64_t> which,
                   Tensor& out) const;

  std::shared_ptr<nn::Bert> model_;
  std::shared_ptr<const data::Tokenizer> tokenizer_;
  Device device_;
  std::int64_t max_length_ = 512, tokens_a_batch_ = 0;
  bool normalize_ = false;
  std::vector<TextPooling> pooling_ = {TextPooling::mean};
};

}  // namespace athanor::distill
