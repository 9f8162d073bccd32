#include "nn/layers.h"

#include <cmath>

#include "autograd/ops.h"
#include "autograd/ops/batch_norm.h"
#include "autograd/ops/conv2d.h"
#include "autograd/ops/pool2d.h"

namespace athanor::nn {
namespace {

Tensor initial(const Shape& shape, std::int64_t fan_in, Generator& generator) {
  const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
  return random_uniform(shape, generator, -bound, bound);
}

void check_positive(const char* layer, std::int64_t a, std::int64_t b) {
  if (a < 1 || b < 1) fail(layer, "expected sizes >= 1, got ", a, " and ", b);
}

}  // namespace

Linear::Linear(std::int64_t in, std::int64_t out, Generator& generator, bool bias) {
  check_positive("Linear", in, out);
  weight_ = register_parameter("weight", initial({out, in}, in, generator));
  if (bias) bias_ = register_parameter("bias", initial({out}, in, generator));
}

Variable Linear::forward(const Variable& x) { return linear(x, weight_, bias_); }

Conv2d::Conv2d(std::int64_t in, std::int64_t out, std::int64_t kernel, Generator& generator,
               const Conv2dOptions& options, bool bias)
    : options_(options) {
  check_positive("Conv2d", in, out);
  const std::int64_t fan_in = in / options.groups * kernel * kernel;
  weight_ = register_parameter(
      "weight", initial({out, in / options.groups, kernel, kernel}, fan_in, generator));
  if (bias) bias_ = register_parameter("bias", initial({out}, fan_in, generator));
}

Variable Conv2d::forward(const Variable& x) { return conv2d(x, weight_, bias_, options_); }

BatchNorm2d::BatchNorm2d(std::int64_t channels, bool relu) : relu_(relu) {
  check_positive("BatchNorm2d", channels, 1);
  weight_ = register_parameter("weight", ones({channels}));
  bias_ = register_parameter("bias", zeros({channels}));
  running_mean_ = register_buffer("running_mean", zeros({channels}));
  running_var_ = register_buffer("running_var", ones({channels}));
}

Variable BatchNorm2d::forward(const Variable& x) {
  BatchNormOptions options;
  options.training = training();
  options.relu = relu_;
  return batch_norm(x, weight_, bias_, running_mean_, running_var_, options);
}

std::shared_ptr<Module> relu_layer() {
  return std::make_shared<Function>([](const Variable& x) { return relu(x); });
}
std::shared_ptr<Module> flatten_layer() {
  return std::make_shared<Function>([](const Variable& x) { return flatten(x); });
}
std::shared_ptr<Module> max_pool2d_layer(const Pool2dOptions& options) {
  return std::make_shared<Function>(
      [options](const Variable& x) { return max_pool2d(x, options); });
}

Sequential::Sequential(std::vector<std::shared_ptr<Module>> modules)
    : sequence_(std::move(modules)) {
  for (std::size_t i = 0; i < sequence_.size(); ++i) register_module(str(i), sequence_[i]);
}

Variable Sequential::forward(const Variable& x) { return forward_prefix(x, sequence_.size()); }

Variable Sequential::forward_prefix(const Variable& x, std::size_t count) {
  Variable y = x;
  for (std::size_t i = 0; i < count; ++i) y = sequence_[i]->forward(y);
  return y;
}

}  // namespace athanor::nn
