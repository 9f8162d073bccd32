// A convolutional network for short texts (Kim 2014).
#pragma once

#include <memory>
#include <vector>

#include "nn/conv.h"
#include "nn/layers.h"

namespace athanor::nn {

struct TextCnnOptions {
  std::int64_t vocabulary = 0;
  std::int64_t width = 128;     // of the token vectors
  std::int64_t channels = 100;  // of each kernel size
  std::vector<std::int64_t> kernels = {3, 4, 5};
  double dropout = 0.5;  // of the features
};

// Token vectors, a convolution of each kernel size with ReLU, the maximum over the text. All but
// the last layer: ids i64 [B, L] -> [B, channels kernels]. Padding is a token like others; texts
// shorter than the largest kernel are padded with `padding`.
class TextCnn final : public Module {
 public:
  TextCnn(const TextCnnOptions& options, Generator& generator, std::int64_t padding = 0);
  Variable forward(const Variable& ids) override;
  std::int64_t features() const { return features_; }

 private:
  std::int64_t features_, longest_, padding_;
  std::shared_ptr<Embedding> tokens_;
  std::vector<std::shared_ptr<Conv1d>> convolutions_;
  std::shared_ptr<Dropout> dropout_;
};

}  // namespace athanor::nn
