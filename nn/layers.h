// Layers. Weights start as in PyTorch: uniform in +-1/sqrt(fan in).
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "nn/module.h"
#include "tensor/ops/batch_norm.h"
#include "tensor/ops/conv2d.h"
#include "tensor/ops/pool2d.h"

namespace athanor::nn {

// y = x weight^T + bias: [..., in] -> [..., out]
class Linear final : public Module {
 public:
  Linear(std::int64_t in, std::int64_t out, Generator& generator, bool bias = true);
  Variable forward(const Variable& x) override;
  const Variable& weight() const { return weight_; }  // [out, in]

 private:
  Parameter weight_, bias_;
};

class BatchNorm2d;

// [N, in, H, W] -> [N, out, H', W'], see tensor/ops/conv2d.h
class Conv2d final : public Module {
 public:
  Conv2d(std::int64_t in, std::int64_t out, std::int64_t kernel, Generator& generator,
         const Conv2dOptions& options = {}, bool bias = true);
  Variable forward(const Variable& x) override;
  // norm.forward(forward(x)), or norm.forward_pooled(forward(x), *pool), in one operation. In
  // evaluation, when nobody asks for gradients, it is one convolution, whose weights take the
  // statistics in (Jacob et al. 2018, section 3.2), with its ReLU and pooling.
  Variable forward_normalised(const Variable& x, BatchNorm2d& norm,
                              const Pool2dOptions* pool = nullptr);

 private:
  Conv2dOptions options_;
  Parameter weight_, bias_;
};

// Normalises each channel of [N, C, H, W]; in training by the batch, else by the running
// statistics.
class BatchNorm2d final : public Module {
 public:
  // With `relu`, negative results become 0 in the same pass.
  explicit BatchNorm2d(std::int64_t channels, bool relu = false);
  Variable forward(const Variable& x) override;
  // max_pool2d(forward(x), pool), in one operation.
  Variable forward_pooled(const Variable& x, const Pool2dOptions& pool);
  // forward(conv2d(x, w, b, conv)), or forward_pooled() of it, in one operation.
  Variable forward_convolved(const Variable& x, const Variable& w, const Variable& b,
                             const Conv2dOptions& conv, const Pool2dOptions* pool);
  // In evaluation forward(x) is scale x + shift, each [C], and then a ReLU if it has one.
  struct Affine {
    Tensor scale, shift;
    bool relu;
  };
  Affine affine() const;

 private:
  BatchNormOptions options() const;

  Parameter weight_, bias_;
  Buffer running_mean_, running_var_;
  bool relu_;
};

// Sets each element to 0 with probability p in training and scales the others by 1 / (1 - p); see
// autograd/ops/dropout.h. Draws from a generator of its own, forked from the given one.
class Dropout final : public Module {
 public:
  Dropout(double p, Generator& generator);
  Variable forward(const Variable& x) override;

 private:
  double p_;
  Generator generator_;
};

// Rows of a table [count, width]: i64 [...] -> [..., width]. Starts normal with variance 1.
class Embedding final : public Module {
 public:
  Embedding(std::int64_t count, std::int64_t width, Generator& generator);
  // `index` is a constant of dtype i64.
  Variable forward(const Variable& index) override;
  // x [..., width] -> [..., count]: the table as the weight of an output layer (weight tying; Press
  // & Wolf 2017).
  Variable as_output(const Variable& x) const;

 private:
  Parameter weight_;
};

// A module made of a function without parameters.
class Function final : public Module {
 public:
  explicit Function(std::function<Variable(const Variable&)> f) : f_(std::move(f)) {}
  Variable forward(const Variable& x) override { return f_(x); }

 private:
  std::function<Variable(const Variable&)> f_;
};

// max_pool2d; without parameters.
class MaxPool2d final : public Module {
 public:
  explicit MaxPool2d(const Pool2dOptions& options = {}) : options_(options) {}
  Variable forward(const Variable& x) override;
  const Pool2dOptions& options() const { return options_; }

 private:
  Pool2dOptions options_;
};

std::shared_ptr<Module> relu_layer();
std::shared_ptr<Module> flatten_layer();
std::shared_ptr<Module> max_pool2d_layer(const Pool2dOptions& options = {});

// Modules one after another, named "0", "1", ... A BatchNorm2d and a MaxPool2d right behind it run
// as one operation; a Conv2d and a BatchNorm2d do in evaluation (Conv2d::forward_normalised).
class Sequential final : public Module {
 public:
  explicit Sequential(std::vector<std::shared_ptr<Module>> modules);
  Variable forward(const Variable& x) override;
  // The first `count` modules only.
  Variable forward_prefix(const Variable& x, std::size_t count);
  std::size_t size() const { return sequence_.size(); }

 private:
  std::vector<std::shared_ptr<Module>> sequence_;
};

}  // namespace athanor::nn
