// Normalisation layers. BatchNorm2d stands with the image layers in layers.h.
#pragma once

#include "autograd/ops/layer_norm.h"
#include "nn/module.h"

namespace athanor::nn {

// A residual stream x + part whose sum is not taken yet, so that a normalisation can take it on the
// way; without a part, x alone.
struct Residual {
  Variable x, part;
  Variable sum() const;
};

// A normalisation of rows, which can take a residual sum on the way.
class RowNormModule : public Module {
 public:
  // y is the sum normalised.
  virtual AddNormVariables normalise(const Residual& from) = 0;
};

// (x - mean) / sqrt(variance + eps) weight + bias over the last axis of [..., width] (Ba et al.
// 2016).
class LayerNorm final : public RowNormModule {
 public:
  explicit LayerNorm(std::int64_t width, double eps = 1e-5, bool bias = true);
  Variable forward(const Variable& x) override;
  AddNormVariables normalise(const Residual& from) override;

 private:
  double eps_;
  Parameter weight_, bias_;
};

// x / sqrt(mean of x^2 + eps) weight over the last axis of [..., width] (Zhang & Sennrich 2019).
class RmsNorm final : public RowNormModule {
 public:
  explicit RmsNorm(std::int64_t width, double eps = 1e-6);
  Variable forward(const Variable& x) override;
  AddNormVariables normalise(const Residual& from) override;

 private:
  double eps_;
  Parameter weight_;
};

// Normalises each of `groups` groups of channels of each record of [N, C, ...] (Wu & He 2018);
// weight and bias by channel. Throws unless groups divides channels.
class GroupNorm final : public Module {
 public:
  GroupNorm(std::int64_t groups, std::int64_t channels, double eps = 1e-5);
  Variable forward(const Variable& x) override;

 private:
  std::int64_t groups_;
  double eps_;
  Parameter weight_, bias_;
};

// Normalises each channel of [N, C] or [N, C, L]; in training by the batch, else by the running
// statistics.
class BatchNorm1d final : public Module {
 public:
  explicit BatchNorm1d(std::int64_t channels);
  Variable forward(const Variable& x) override;

 private:
  Parameter weight_, bias_;
  Buffer running_mean_, running_var_;
};

}  // namespace athanor::nn
