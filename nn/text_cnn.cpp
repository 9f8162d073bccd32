#include "nn/text_cnn.h"

#include <algorithm>

#include "autograd/ops.h"
#include "nn/init.h"

namespace athanor::nn {

TextCnn::TextCnn(const TextCnnOptions& options, Generator& generator, std::int64_t padding)
    : padding_(padding) {
  check_sizes("TextCnn", {options.vocabulary, options.width, options.channels});
  if (options.kernels.empty()) fail("TextCnn", "expected at least one kernel size");
  check_sizes("TextCnn", {*std::min_element(options.kernels.begin(), options.kernels.end())});
  longest_ = *std::max_element(options.kernels.begin(), options.kernels.end());
  features_ = options.channels * static_cast<std::int64_t>(options.kernels.size());
  tokens_ = register_module(
      "embedding", std::make_shared<Embedding>(options.vocabulary, options.width, generator));
  for (std::size_t i = 0; i < options.kernels.size(); ++i) {
    convolutions_.push_back(register_module(
        str("convolutions.", i),
        std::make_shared<Conv1d>(options.width, options.channels, options.kernels[i], generator)));
  }
  dropout_ = register_module("dropout", std::make_shared<Dropout>(options.dropout, generator));
}

Variable TextCnn::forward(const Variable& ids) {
  Tensor tokens = ids.tensor();
  if (tokens.rank() != 2 || tokens.dtype() != DType::i64) {
    fail("TextCnn", "expected ids i64 [B, L], got ", describe(tokens));
  }
  if (tokens.size(1) < longest_) {
    tokens = pad(tokens, {{0, 0}, {0, longest_ - tokens.size(1)}}, static_cast<double>(padding_));
  }
  const Variable x = transpose(tokens_->forward(tokens));  // [B, width, L]
  std::vector<Variable> features;
  for (const auto& convolution : convolutions_) {
    features.push_back(amax(relu(convolution->forward(x)), {2}));
  }
  return dropout_->forward(cat(features, 1));
}

}  // namespace athanor::nn
