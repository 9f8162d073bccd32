#include "nn/patches.h"

#include "autograd/ops.h"
#include "nn/init.h"
#include "nn/norm.h"

namespace athanor::nn {
namespace {

std::int64_t count_patches(const PatchOptions& o) {
  check_sizes("patches", {o.patch, o.width, o.layers, o.heads});
  if (o.input.size() != 3 || o.input[1] % o.patch != 0 || o.input[2] % o.patch != 0) {
    raise(ErrorKind::usage, "expected [C, H, W] of whole patches of ", o.patch, ", got ", o.input);
  }
  return (o.input[1] / o.patch) * (o.input[2] / o.patch);
}

std::shared_ptr<Module> patch_layer(const PatchOptions& o, Generator& generator) {
  Conv2dOptions options;
  options.stride = o.patch;
  return std::make_shared<Conv2d>(o.input[0], o.width, o.patch, generator, options);
}

// [N, width, h, w] -> [N, h w, width]
Variable as_sequence(const Variable& x) {
  return reshape(permute(x, {0, 2, 3, 1}), {x.size(0), x.size(2) * x.size(3), x.size(1)});
}

}  // namespace

VisionTransformer::VisionTransformer(const PatchOptions& o, Generator& generator) {
  const std::int64_t count = count_patches(o);
  patches_ = register_module("patch_embedding", patch_layer(o, generator));
  positions_ = register_parameter("positions", normal_weights({count, o.width}, 0.02, generator));
  TransformerOptions layer;
  layer.attention.width = o.width;
  layer.attention.heads = o.heads;
  layer.activation = Activation::gelu;
  layer.pre_norm = true;
  layer.dropout = o.dropout;
  stack_ =
      register_module("encoder", std::make_shared<TransformerStack>(layer, o.layers, generator));
  norm_ = register_module("norm", std::make_shared<LayerNorm>(o.width));
}

Variable VisionTransformer::forward(const Variable& x) {
  const Variable patches = as_sequence(patches_->forward(x)) + positions_.get();
  return mean(norm_->normalise(stack_->run_open(patches, {}, {}, {})).y, {1});
}

MlpMixer::MlpMixer(const PatchOptions& o, Generator& generator) {
  const std::int64_t count = count_patches(o);
  patches_ = register_module("patch_embedding", patch_layer(o, generator));
  for (std::int64_t i = 0; i < o.layers; ++i) {
    const auto linear_layer = [&](const char* name, std::int64_t in, std::int64_t out) {
      return register_module(str("layers.", i, ".", name),
                             std::make_shared<Linear>(in, out, generator));
    };
    const auto norm = [&](const char* name) {
      return register_module(str("layers.", i, ".", name), std::make_shared<LayerNorm>(o.width));
    };
    Layer layer;
    layer.norm1 = norm("norm1");
    layer.token_in = linear_layer("token_in", count, 2 * count);
    layer.token_out = linear_layer("token_out", 2 * count, count);
    layer.norm2 = norm("norm2");
    layer.channel_in = linear_layer("channel_in", o.width, 4 * o.width);
    layer.channel_out = linear_layer("channel_out", 4 * o.width, o.width);
    layers_.push_back(layer);
  }
  norm_ = register_module("norm", std::make_shared<LayerNorm>(o.width));
  if (o.dropout > 0) {
    dropout_ = register_module("dropout", std::make_shared<Dropout>(o.dropout, generator));
  }
}

Variable MlpMixer::forward(const Variable& x) {
  const auto dropped = [&](const Variable& y) { return dropout_ ? dropout_->forward(y) : y; };
  Variable y = as_sequence(patches_->forward(x));
  for (const Layer& l : layers_) {
    const Variable tokens = transpose(l.norm1->forward(y));
    y = y + dropped(transpose(l.token_out->forward(gelu(l.token_in->forward(tokens)))));
    const Variable channels = gelu(l.channel_in->forward(l.norm2->forward(y)));
    y = y + dropped(l.channel_out->forward(channels));
  }
  return mean(norm_->forward(y), {1});
}

}  // namespace athanor::nn
