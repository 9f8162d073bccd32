#include "cli/bench/models.h"

#include <cmath>

#include "autograd/ops.h"
#include "nn/norm.h"

namespace athanor::cli::bench {
namespace {

using Modules = std::vector<std::shared_ptr<nn::Module>>;

std::shared_ptr<nn::Module> conv3x3(std::int64_t in, std::int64_t out, std::int64_t stride,
                                    Generator& g, bool bias) {
  Conv2dOptions options;
  options.stride = stride;
  options.padding = 1;
  return std::make_shared<nn::Conv2d>(in, out, 3, g, options, bias);
}

// relu(BN(conv(relu(BN(conv(x))))) + x), x through a 1 x 1 convolution where the shape changes.
class BasicBlock final : public nn::Module {
 public:
  BasicBlock(std::int64_t in, std::int64_t out, std::int64_t stride, Generator& g) {
    body_ = register_module(
        "body",
        std::make_shared<nn::Sequential>(Modules{
            conv3x3(in, out, stride, g, false), std::make_shared<nn::BatchNorm2d>(out, true),
            conv3x3(out, out, 1, g, false), std::make_shared<nn::BatchNorm2d>(out)}));
    if (stride == 1 && in == out) return;
    Conv2dOptions options;
    options.stride = stride;
    shortcut_ =
        register_module("shortcut", std::make_shared<nn::Sequential>(Modules{
                                        std::make_shared<nn::Conv2d>(in, out, 1, g, options, false),
                                        std::make_shared<nn::BatchNorm2d>(out)}));
  }
  Variable forward(const Variable& x) override {
    return relu(body_->forward(x) + (shortcut_ ? shortcut_->forward(x) : x));
  }

 private:
  std::shared_ptr<nn::Sequential> body_, shortcut_;
};

// One pre-norm layer: x + attention(LN(x)), then x + MLP(LN(x)) with GELU. Each sum is taken by the
// normalisation that follows.
class Layer final : public nn::Module {
 public:
  Layer(std::int64_t width, std::int64_t heads, std::int64_t hidden, bool causal, Generator& g)
      : heads_(heads), causal_(causal) {
    norm1_ = register_module("norm1", std::make_shared<nn::LayerNorm>(width));
    qkv_ = register_module("qkv", std::make_shared<nn::Linear>(width, 3 * width, g));
    out_ = register_module("out", std::make_shared<nn::Linear>(width, width, g));
    norm2_ = register_module("norm2", std::make_shared<nn::LayerNorm>(width));
    up_ = register_module("up", std::make_shared<nn::Linear>(width, hidden, g));
    down_ = register_module("down", std::make_shared<nn::Linear>(hidden, width, g));
  }
  // x [B, T, width]
  Variable forward(const Variable& x) override { return run({x, {}}).sum(); }
  nn::Residual run(const nn::Residual& x) {
    const AddNormVariables first = norm1_->normalise(x);
    const nn::Residual h{first.sum, out_->forward(attend(qkv_->forward(first.y)))};
    const AddNormVariables second = norm2_->normalise(h);
    return {second.sum, down_->forward(gelu(up_->forward(second.y)))};
  }

 private:
  // [B, T, 3 width] -> [B, T, width]
  Variable attend(const Variable& qkv) const {
    const std::int64_t B = qkv.size(0), T = qkv.size(1), D = qkv.size(2) / 3;
    std::vector<Variable> parts = chunk(qkv, 3, 2);
    for (Variable& part : parts) {
      part = transpose(reshape(part, {B, T, heads_, D / heads_}), 1, 2);
    }
    AttentionOptions options;
    options.causal = causal_;
    const Variable y = attention(parts[0], parts[1], parts[2], options);
    return reshape(transpose(y, 1, 2), {B, T, D});
  }

  std::int64_t heads_;
  bool causal_;
  std::shared_ptr<nn::LayerNorm> norm1_, norm2_;
  std::shared_ptr<nn::Linear> qkv_, out_, up_, down_;
};

class Encoder final : public TokenModel {
 public:
  explicit Encoder(Generator& g) {
    embedding_ = register_parameter("embedding", random_normal({8000, 256}, g));
    for (int i = 0; i < 2; ++i) {
      layers_.push_back(
          register_module(str("layer", i), std::make_shared<Layer>(256, 4, 1024, false, g)));
    }
    head_ = register_module("head", std::make_shared<nn::Linear>(256, 2, g));
  }
  Variable run(const Tensor& tokens) override {
    nn::Residual h{embedding(embedding_, tokens), {}};
    for (const auto& layer : layers_) h = layer->run(h);
    return head_->forward(mean(h.sum(), {1}));
  }

 private:
  nn::Parameter embedding_;
  std::vector<std::shared_ptr<Layer>> layers_;
  std::shared_ptr<nn::Linear> head_;
};

class Gpt final : public TokenModel {
 public:
  explicit Gpt(Generator& g) {
    tokens_ = register_parameter("tokens", random_normal({65, 128}, g));
    positions_ = register_parameter("positions", random_normal({128, 128}, g));
    for (int i = 0; i < 4; ++i) {
      layers_.push_back(
          register_module(str("layer", i), std::make_shared<Layer>(128, 4, 512, true, g)));
    }
    norm_ = register_module("norm", std::make_shared<nn::LayerNorm>(128));
  }
  Variable run(const Tensor& tokens) override {
    const Variable places = slice(positions_.get(), 0, 0, tokens.size(1));
    nn::Residual h{embedding(tokens_, tokens) + places, {}};
    for (const auto& layer : layers_) h = layer->run(h);
    const Variable rows = reshape(norm_->normalise(h).y, {-1, 128});
    return matmul(rows, transpose(tokens_.get()));
  }

 private:
  nn::Parameter tokens_, positions_;
  std::vector<std::shared_ptr<Layer>> layers_;
  std::shared_ptr<nn::LayerNorm> norm_;
};

}  // namespace

std::shared_ptr<nn::Module> mlp(const std::vector<std::int64_t>& widths, Generator& g) {
  Modules layers;
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
    if (i > 0) layers.push_back(nn::relu_layer());
    layers.push_back(std::make_shared<nn::Linear>(widths[i], widths[i + 1], g));
  }
  return std::make_shared<nn::Sequential>(std::move(layers));
}

std::shared_ptr<nn::Module> cnn(Generator& g) {
  return std::make_shared<nn::Sequential>(
      Modules{conv3x3(1, 32, 1, g, true), std::make_shared<nn::BatchNorm2d>(32, true),
              nn::max_pool2d_layer(), conv3x3(32, 64, 1, g, true),
              std::make_shared<nn::BatchNorm2d>(64, true), nn::max_pool2d_layer(),
              nn::flatten_layer(), std::make_shared<nn::Linear>(3136, 128, g), nn::relu_layer(),
              std::make_shared<nn::Linear>(128, 10, g)});
}

std::shared_ptr<nn::Module> resnet8(Generator& g) {
  const auto pool =
      std::make_shared<nn::Function>([](const Variable& x) { return global_avg_pool2d(x); });
  return std::make_shared<nn::Sequential>(Modules{
      conv3x3(3, 16, 1, g, false), std::make_shared<nn::BatchNorm2d>(16, true),
      std::make_shared<BasicBlock>(16, 16, 1, g), std::make_shared<BasicBlock>(16, 32, 2, g),
      std::make_shared<BasicBlock>(32, 64, 2, g), pool, nn::flatten_layer(),
      std::make_shared<nn::Linear>(64, 10, g)});
}

std::shared_ptr<TokenModel> encoder(Generator& g) { return std::make_shared<Encoder>(g); }
std::shared_ptr<TokenModel> gpt(Generator& g) { return std::make_shared<Gpt>(g); }

}  // namespace athanor::cli::bench
