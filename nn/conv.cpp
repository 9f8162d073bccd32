#include "nn/conv.h"

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

Variable Conv1d::forward(const Variable& x) { return conv1d(x, weight_, bias_, options_); }

ConvTranspose2d::ConvTranspose2d(std::int64_t in, std::int64_t out, std::int64_t kernel,
                                 Generator& generator, const ConvTranspose2dOptions& options,
                                 bool bias)
    : options_(options) {
  check_sizes("ConvTranspose2d", {in, out, kernel, options.groups});
  const std::int64_t per_group = out / options.groups;
  const std::int64_t fan_in = per_group * kernel * kernel;  // as PyTorch counts it
  weight_ = register_parameter(
      "weight", uniform_by_fan_in({in, per_group, kernel, kernel}, fan_in, generator));
  if (bias) bias_ = register_parameter("bias", uniform_by_fan_in({out}, fan_in, generator));
}

Variable ConvTranspose2d::forward(const Variable& x) {
  return conv_transpose2d(x, weight_, bias_, options_);
}

}  // namespace athanor::nn
