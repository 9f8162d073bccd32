#include "nn/resnet.h"

#include <cmath>

#include "autograd/ops.h"
#include "nn/init.h"

namespace athanor::nn {
namespace {

std::shared_ptr<Conv2d> convolution(std::int64_t in, std::int64_t out, std::int64_t kernel,
                                    std::int64_t stride, Generator& generator) {
  Conv2dOptions options;
  options.stride = stride;
  options.padding = kernel / 2;
  auto layer = std::make_shared<Conv2d>(in, out, kernel, generator, options, false);
  // He et al. 2015, by fan out.
  Variable weight = layer->parameters()[0];
  const double deviation = std::sqrt(2.0 / static_cast<double>(out * kernel * kernel));
  weight.set_value(normal_weights(weight.shape(), deviation, generator));
  return layer;
}

// relu(bn(conv(relu(bn(conv x)))) + shortcut x)
class BasicBlock final : public Module {
 public:
  BasicBlock(std::int64_t in, std::int64_t out, std::int64_t stride, Generator& generator) {
    conv1_ = register_module("conv1", convolution(in, out, 3, stride, generator));
    bn1_ = register_module("bn1", std::make_shared<BatchNorm2d>(out, true));
    conv2_ = register_module("conv2", convolution(out, out, 3, 1, generator));
    bn2_ = register_module("bn2", std::make_shared<BatchNorm2d>(out));
    if (stride == 1 && in == out) return;
    shortcut_ = register_module(
        "downsample",
        std::make_shared<Sequential>(std::vector<std::shared_ptr<Module>>{
            convolution(in, out, 1, stride, generator), std::make_shared<BatchNorm2d>(out)}));
  }

  Variable forward(const Variable& x) override {
    const Variable y = conv2_->forward_normalised(conv1_->forward_normalised(x, *bn1_), *bn2_);
    return relu(y + (shortcut_ ? shortcut_->forward(x) : x));
  }

 private:
  std::shared_ptr<Conv2d> conv1_, conv2_;
  std::shared_ptr<BatchNorm2d> bn1_, bn2_;
  std::shared_ptr<Module> shortcut_;
};

}  // namespace

ResNetOptions resnet_options(std::int64_t depth, std::int64_t in) {
  ResNetOptions o;
  o.in = in;
  if (depth == 18) {
    o.blocks = {2, 2, 2, 2};
    o.widths = {64, 128, 256, 512};
  } else if (depth >= 8 && depth <= 110 && depth % 6 == 2) {
    o.blocks.assign(3, (depth - 2) / 6);
  } else {
    raise(ErrorKind::usage, "resnet: expected depth 18, or 6n + 2 from 8 to 110, got ", depth);
  }
  return o;
}

ResNet::ResNet(const ResNetOptions& options, Generator& generator)
    : large_stem_(options.large_stem) {
  if (options.blocks.empty() || options.blocks.size() != options.widths.size()) {
    fail("ResNet", "expected as many blocks as widths, got ", options.blocks.size(), " and ",
         options.widths.size());
  }
  std::int64_t width = options.widths[0];
  stem_ = register_module(
      "conv1", convolution(options.in, width, large_stem_ ? 7 : 3, large_stem_ ? 2 : 1, generator));
  norm_ = register_module("bn1", std::make_shared<BatchNorm2d>(width, true));
  for (std::size_t stage = 0; stage < options.blocks.size(); ++stage) {
    check_sizes("ResNet", {options.blocks[stage], options.widths[stage]});
    for (std::int64_t i = 0; i < options.blocks[stage]; ++i) {
      const std::int64_t out = options.widths[stage], stride = stage > 0 && i == 0 ? 2 : 1;
      blocks_.push_back(
          register_module(str("layer", stage + 1, ".", i),
                          std::make_shared<BasicBlock>(width, out, stride, generator)));
      width = out;
    }
  }
}

Variable ResNet::forward(const Variable& x) {
  Variable y = stem_->forward_normalised(x, *norm_);
  if (large_stem_) {
    Pool2dOptions pool;
    pool.kernel = 3;
    pool.stride = 2;
    pool.padding = 1;
    y = max_pool2d(y, pool);
  }
  for (const auto& block : blocks_) y = block->forward(y);
  return flatten(global_avg_pool2d(y));
}

}  // namespace athanor::nn
