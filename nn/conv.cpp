#include "nn/conv.h"

#include "autograd/ops.h"
#include "nn/init.h"

namespace athanor::nn {

Conv1d::Conv1d(std::int64_t in, std::int64_t out, std::int64_t kernel, Generator& generator,
               const Conv1dOptions& options, bool bias)
    : options_(options) {
  check_sizes("Conv1d", {in, out, kernel, options.groups});
  const std::int64_t fan_in = in / options.groups * kernel;
  weight_ = register_parameter(
      "weight", uniform_by_fan_in({out, in / options.groups, kernel}, fan_in, generator));
  if (bias) bias_ = register_parameter("bias", uniform_by_fan_in({out}, fan_in, generator));
}

Variable Conv1d::forward(const Variable& x) {
  if (x.rank() != 3) fail("Conv1d", "expected [N, C, L], got ", describe(x.tensor()));
  Conv2dOptions options;  // an image of height 1
  options.stride = {1, options_.stride};
  options.padding = {0, options_.padding};
  options.dilation = {1, options_.dilation};
  options.groups = options_.groups;
  return squeeze(conv2d(unsqueeze(x, 2), unsqueeze(weight_, 2), bias_, options), 2);
}

ConvTranspose2d::ConvTranspose2d(std::int64_t in, std::int64_t out, std::int64_t kernel,
                                 Generator& generator, const ConvTranspose2dOptions& options,
                                 bool bias)
    : options_(options) {
  check_sizes("ConvTranspose2d", {in, out, kernel, options.groups});
  if (options.output_padding.h >= options.stride.h ||
      options.output_padding.w >= options.stride.w) {
    fail("ConvTranspose2d", "expected output_padding below stride");
  }
  const std::int64_t per_group = out / options.groups;
  const std::int64_t fan_in = per_group * kernel * kernel;  // as PyTorch counts it
  weight_ = register_parameter(
      "weight", uniform_by_fan_in({in, per_group, kernel, kernel}, fan_in, generator));
  if (bias) bias_ = register_parameter("bias", uniform_by_fan_in({out}, fan_in, generator));
}

Variable ConvTranspose2d::forward(const Variable& x) {
  const Variable& weight = weight_.get();
  if (x.rank() != 4 || x.size(1) != weight.size(0)) {
    fail("ConvTranspose2d", "expected [N, ", weight.size(0), ", H, W], got ", describe(x.tensor()));
  }
  const ConvTranspose2dOptions& o = options_;
  const auto size = [&](int axis, auto side) {
    return (x.size(axis) - 1) * (o.stride.*side) - 2 * (o.padding.*side) +
           (o.dilation.*side) * (weight.size(axis) - 1) + (o.output_padding.*side) + 1;
  };
  Conv2dOptions options;
  options.stride = o.stride;
  options.padding = o.padding;
  options.dilation = o.dilation;
  options.groups = o.groups;
  const Shape shape{x.size(0), weight.size(1) * o.groups, size(2, &Size2::h), size(3, &Size2::w)};
  const Variable y = conv2d_backward_input(x, weight, shape, options);
  return bias_.get().defined() ? y + reshape(bias_, {1, -1, 1, 1}) : y;
}

}  // namespace athanor::nn
