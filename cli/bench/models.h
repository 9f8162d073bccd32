// Models of the workloads that nn does not offer in this form.
#pragma once

#include <memory>

#include "nn/layers.h"

namespace athanor::cli::bench {

// Linear layers of the given widths with ReLU between them.
std::shared_ptr<nn::Module> mlp(const std::vector<std::int64_t>& widths, Generator& generator);
// conv 1-32 3x3, BN, ReLU, max-pool 2, conv 32-64 3x3, BN, ReLU, max-pool 2, FC 3136-128, ReLU, FC
// 128-10; x [N, 1, 28, 28]
std::shared_ptr<nn::Module> cnn(Generator& generator);
// The CIFAR ResNet-8: 16-32-64 channels, one basic block a stage; x [N, 3, 32, 32]
std::shared_ptr<nn::Module> resnet8(Generator& generator);

// Transformers read token numbers, i64 [B, T].
class TokenModel : public nn::Module {
 public:
  Variable forward(const Variable& tokens) override { return run(tokens.tensor()); }
  virtual Variable run(const Tensor& tokens) = 0;
};
// Embedding 8000 x 256, 2 pre-norm encoder layers (4 heads, ff 1024, GELU), mean pool, FC 2.
std::shared_ptr<TokenModel> encoder(Generator& generator);
// Character GPT: vocabulary 65, 4 layers, d 128, 4 heads, causal, up to 128 tokens, weight tying;
// logits [B T, 65]
std::shared_ptr<TokenModel> gpt(Generator& generator);

}  // namespace athanor::cli::bench
