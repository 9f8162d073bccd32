#include "nn/norm.h"

#include "autograd/ops.h"
#include "nn/init.h"

namespace athanor::nn {
namespace {

void check_width(const char* layer, const Variable& x, int axis, const Variable& weight) {
  if (x.rank() > (axis < 0 ? 0 : axis) && x.size(axis) == weight.numel()) return;
  fail(layer, "expected size ", weight.numel(), " along axis ", axis, ", got ",
       describe(x.tensor()));
}

}  // namespace

Variable Residual::sum() const { return part.defined() ? x + part : x; }

LayerNorm::LayerNorm(std::int64_t width, double eps, bool bias) : eps_(eps) {
  check_sizes("LayerNorm", {width});
  weight_ = register_parameter("weight", ones({width}));
  if (bias) bias_ = register_parameter("bias", zeros({width}));
}

Variable LayerNorm::forward(const Variable& x) {
  check_width("LayerNorm", x, -1, weight_);
  return layer_norm(x, weight_, bias_, eps_);
}

AddNormVariables LayerNorm::normalise(const Residual& from) {
  if (!from.part.defined()) return {forward(from.x), from.x};
  check_width("LayerNorm", from.x, -1, weight_);
  return add_layer_norm(from.x, from.part, weight_, bias_, eps_);
}

RmsNorm::RmsNorm(std::int64_t width, double eps) : eps_(eps) {
  check_sizes("RmsNorm", {width});
  weight_ = register_parameter("weight", ones({width}));
}

Variable RmsNorm::forward(const Variable& x) {
  check_width("RmsNorm", x, -1, weight_);
  return rms_norm(x, weight_, eps_);
}

AddNormVariables RmsNorm::normalise(const Residual& from) {
  if (!from.part.defined()) return {forward(from.x), from.x};
  check_width("RmsNorm", from.x, -1, weight_);
  return add_rms_norm(from.x, from.part, weight_, eps_);
}

GroupNorm::GroupNorm(std::int64_t groups, std::int64_t channels, double eps)
    : groups_(groups), eps_(eps) {
  check_sizes("GroupNorm", {groups, channels});
  if (channels % groups != 0) {
    fail("GroupNorm", "expected groups that divide ", channels, " channels, got ", groups);
  }
  weight_ = register_parameter("weight", ones({channels}));
  bias_ = register_parameter("bias", zeros({channels}));
}

Variable GroupNorm::forward(const Variable& x) {
  return group_norm(x, groups_, weight_, bias_, eps_);
}

BatchNorm1d::BatchNorm1d(std::int64_t channels) {
  check_sizes("BatchNorm1d", {channels});
  weight_ = register_parameter("weight", ones({channels}));
  bias_ = register_parameter("bias", zeros({channels}));
  running_mean_ = register_buffer("running_mean", zeros({channels}));
  running_var_ = register_buffer("running_var", ones({channels}));
}

Variable BatchNorm1d::forward(const Variable& x) {
  check_width("BatchNorm1d", x, 1, weight_);
  BatchNormOptions options;
  options.training = training();
  const auto normalise = [&](const Variable& image) {
    return batch_norm(image, weight_, bias_, running_mean_, running_var_, options);
  };
  if (x.rank() == 2) return normalise(x);
  if (x.rank() != 3) {
    fail("BatchNorm1d", "expected [N, C] or [N, C, L], got ", describe(x.tensor()));
  }
  return squeeze(normalise(unsqueeze(x, 2)), 2);
}

}  // namespace athanor::nn
