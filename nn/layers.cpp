#include "nn/layers.h"

#include "autograd/ops.h"
#include "autograd/ops/batch_norm.h"
#include "autograd/ops/conv2d.h"
#include "autograd/ops/conv2d_batch_norm.h"
#include "autograd/ops/pool2d.h"
#include "nn/init.h"

namespace athanor::nn {

Linear::Linear(std::int64_t in, std::int64_t out, Generator& generator, bool bias) {
  check_sizes("Linear", {in, out});
  weight_ = register_parameter("weight", uniform_by_fan_in({out, in}, in, generator));
  if (bias) bias_ = register_parameter("bias", uniform_by_fan_in({out}, in, generator));
}

Variable Linear::forward(const Variable& x) { return linear(x, weight_, bias_); }

Conv2d::Conv2d(std::int64_t in, std::int64_t out, std::int64_t kernel, Generator& generator,
               const Conv2dOptions& options, bool bias)
    : options_(options) {
  check_sizes("Conv2d", {in, out, kernel});
  const std::int64_t fan_in = in / options.groups * kernel * kernel;
  weight_ = register_parameter(
      "weight", uniform_by_fan_in({out, in / options.groups, kernel, kernel}, fan_in, generator));
  if (bias) bias_ = register_parameter("bias", uniform_by_fan_in({out}, fan_in, generator));
}

Variable Conv2d::forward(const Variable& x) { return conv2d(x, weight_, bias_, options_); }

Variable Conv2d::forward_normalised(const Variable& x, BatchNorm2d& norm,
                                    const Pool2dOptions* pool) {
  if (norm.training() || grad_enabled()) {
    return norm.forward_convolved(x, weight_, bias_, options_, pool);
  }
  const BatchNorm2d::Affine affine = norm.affine();
  const Tensor& w = weight_.get().tensor();
  const std::int64_t out = w.shape()[0];
  const Tensor b = bias_.get().tensor();
  const Variable weight(mul(w, reshape(affine.scale, {out, 1, 1, 1})));
  const Variable bias(b.defined() ? add(mul(b, affine.scale), affine.shift) : affine.shift);
  Conv2dOptions options = options_;
  options.relu = affine.relu;
  return pool ? conv2d_max_pool2d(x, weight, bias, options, *pool)
              : conv2d(x, weight, bias, options);
}

BatchNorm2d::BatchNorm2d(std::int64_t channels, bool relu) : relu_(relu) {
  check_sizes("BatchNorm2d", {channels});
  weight_ = register_parameter("weight", ones({channels}));
  bias_ = register_parameter("bias", zeros({channels}));
  running_mean_ = register_buffer("running_mean", zeros({channels}));
  running_var_ = register_buffer("running_var", ones({channels}));
}

Variable BatchNorm2d::forward(const Variable& x) {
  return batch_norm(x, weight_, bias_, running_mean_, running_var_, options());
}

Variable BatchNorm2d::forward_pooled(const Variable& x, const Pool2dOptions& pool) {
  return batch_norm_max_pool2d(x, weight_, bias_, running_mean_, running_var_, options(), pool);
}

Variable BatchNorm2d::forward_convolved(const Variable& x, const Variable& w, const Variable& b,
                                        const Conv2dOptions& conv, const Pool2dOptions* pool) {
  return conv2d_batch_norm(x, w, b, weight_, bias_, running_mean_, running_var_,
                           {conv, options(), pool ? std::optional(*pool) : std::nullopt});
}

BatchNorm2d::Affine BatchNorm2d::affine() const {
  const Tensor scale = mul(weight_.get().tensor(), rsqrt(add(running_var_.get(), options().eps)));
  return {scale, sub(bias_.get().tensor(), mul(running_mean_.get(), scale)), relu_};
}

BatchNormOptions BatchNorm2d::options() const {
  BatchNormOptions options;
  options.training = training();
  options.relu = relu_;
  return options;
}

Dropout::Dropout(double p, Generator& generator)
    : p_(p), generator_(generator.fork(generator.next_u32())) {
  if (!(p >= 0 && p < 1)) fail("Dropout", "expected p in [0, 1), got ", p);
  register_generator(generator_);
}

Variable Dropout::forward(const Variable& x) {
  return p_ == 0 || !training() ? x : dropout(x, p_, generator_);
}

Embedding::Embedding(std::int64_t count, std::int64_t width, Generator& generator) {
  check_sizes("Embedding", {count, width});
  weight_ = register_parameter("weight", normal_weights({count, width}, 1, generator));
}

Variable Embedding::forward(const Variable& index) {
  return embedding(weight_.get(), index.tensor());
}

Variable Embedding::as_output(const Variable& x) const { return linear(x, weight_.get()); }

Variable MaxPool2d::forward(const Variable& x) { return max_pool2d(x, options_); }

std::shared_ptr<Module> relu_layer() {
  return std::make_shared<Function>([](const Variable& x) { return relu(x); });
}
std::shared_ptr<Module> flatten_layer() {
  return std::make_shared<Function>([](const Variable& x) { return flatten(x); });
}
std::shared_ptr<Module> max_pool2d_layer(const Pool2dOptions& options) {
  return std::make_shared<MaxPool2d>(options);
}

Sequential::Sequential(std::vector<std::shared_ptr<Module>> modules)
    : sequence_(std::move(modules)) {
  for (std::size_t i = 0; i < sequence_.size(); ++i) register_module(str(i), sequence_[i]);
}

Variable Sequential::forward(const Variable& x) { return forward_prefix(x, sequence_.size()); }

Variable Sequential::forward_prefix(const Variable& x, std::size_t count) {
  Variable y = x;
  for (std::size_t i = 0; i < count;) {
    // Convolution, batch norm and pooling are done together where they follow one another.
    auto* convolution = dynamic_cast<Conv2d*>(sequence_[i].get());
    const std::size_t second = convolution ? i + 1 : i;
    auto* norm = second < count ? dynamic_cast<BatchNorm2d*>(sequence_[second].get()) : nullptr;
    if (!norm) {
      y = sequence_[i++]->forward(y);
      continue;
    }
    i = second + 1;
    const auto* pool = i < count ? dynamic_cast<MaxPool2d*>(sequence_[i].get()) : nullptr;
    if (pool) ++i;
    if (convolution) {
      y = convolution->forward_normalised(y, *norm, pool ? &pool->options() : nullptr);
    } else {
      y = pool ? norm->forward_pooled(y, pool->options()) : norm->forward(y);
    }
  }
  return y;
}

}  // namespace athanor::nn
