// Your own model, data and loss under every command of athanor:
//
//   own_project distill own.toml --out runs/own     the three stages, with report
//   own_project train own.toml --out runs/alone     the student alone
//   own_project eval runs/alone/model.safetensors --format rings --data ""
#include <cmath>

#include "autograd/ops.h"
#include "cli/run.h"
#include "nn/layers.h"
#include "tensor/random.h"

using namespace athanor;

// A model: two convolutions with a stride in place of pooling.
nn::Body strided_net(const nn::ModelSpec& spec, Generator& generator) {
  Conv2dOptions halve;
  halve.stride = 2;
  halve.padding = 1;
  const std::int64_t width = 16 * ((spec.input[1] + 3) / 4) * ((spec.input[2] + 3) / 4);
  return {std::make_shared<nn::Sequential>(std::vector<std::shared_ptr<nn::Module>>{
              std::make_shared<nn::Conv2d>(spec.input[0], 8, 3, generator, halve), nn::relu_layer(),
              std::make_shared<nn::Conv2d>(8, 16, 3, generator, halve), nn::relu_layer(),
              nn::flatten_layer()}),
          width};
}

// A data set: rings of three sizes, a little off the middle, in noise.
data::ImageSet rings(std::int64_t count, std::uint64_t seed) {
  constexpr std::int64_t kSide = 16;
  Generator g(seed);
  data::ImageSet set{empty({count, kSide, kSide}, DType::u8),
                     empty({count}, DType::i64),
                     {"small", "middle", "large"}};
  for (std::int64_t n = 0; n < count; ++n) {
    const std::int64_t label = g.next_below(3);
    const double x0 = 7 + 2 * g.next_uniform(), y0 = 7 + 2 * g.next_uniform();
    const double radius = 2.5 + 1.5 * static_cast<double>(label);
    for (std::int64_t i = 0; i < kSide * kSide; ++i) {
      const double r =
          std::hypot(static_cast<double>(i % kSide) - x0, static_cast<double>(i / kSide) - y0);
      const double value = 255 * std::exp(-(r - radius) * (r - radius)) * g.next_uniform();
      set.images.data<std::uint8_t>()[n * kSide * kSide + i] = static_cast<std::uint8_t>(value);
    }
    set.labels.data<std::int64_t>()[n] = label;
  }
  return set;
}

// A loss: the squared distance of the logits (Ba & Caruana 2014), by record.
Variable logit_distance(const Variable& student, const Variable& teacher, double,
                        const Variable& weights) {
  const Variable distance = mean(square(student - teacher), {1});
  return mean(weights.tensor().defined() ? distance * weights : distance);
}

int main(int argc, char** argv) {
  cli::Registry registry;
  registry.models = {{"strided", strided_net}};
  registry.images = {{"rings", [](const auto&, const auto&) {
                        return data::ImageData{rings(4000, 1), rings(1000, 2)};
                      }}};
  registry.losses = {{"logits", logit_distance}};
  return cli::run(argc, argv, registry);
}
