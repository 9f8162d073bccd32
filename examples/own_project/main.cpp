// A model, a data set and a loss of one's own under every command of `athanor`:
//   own_athanor train own.toml --out runs/own
//   own_athanor eval runs/own/model.safetensors --format stripes --data 400
#include "autograd/ops.h"
#include "cli/run.h"
#include "nn/layers.h"

namespace {

using namespace athanor;

// student.model = "tanh_net": one hidden layer of the recipe's width with tanh.
nn::ModelBody tanh_net(const nn::ModelSpec& spec, Generator& generator) {
  const auto tanh_layer = std::make_shared<nn::Function>([](const Variable& x) { return tanh(x); });
  const auto first =
      std::make_shared<nn::Linear>(numel_of(spec.input), spec.hidden.at(0), generator);
  return {std::make_shared<nn::Sequential>(
              std::vector<std::shared_ptr<nn::Module>>{nn::flatten_layer(), first, tanh_layer}),
          spec.hidden.at(0)};
}

// data.format = "stripes": 8 x 8 images with a bright row or a bright column; data.dir says how
// many.
data::ImageSet draw_stripes(std::int64_t count, std::uint64_t seed) {
  Generator random(seed);
  data::ImageSet set{
      zeros({count, 8, 8}, DType::u8), zeros({count}, DType::i64), {"row", "column"}};
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t label = i % 2, at = random.next_below(8);
    set.labels.data<std::int64_t>()[i] = label;
    for (std::int64_t k = 0; k < 64; ++k) {
      const bool bright = (label == 0 ? k / 8 : k % 8) == at;
      set.images.data<std::uint8_t>()[i * 64 + k] =
          static_cast<std::uint8_t>(random.next_below(120) + (bright ? 120 : 0));
    }
  }
  return set;
}
data::ImageData stripes(const std::string& where) {
  return {draw_stripes(std::stoll(where), 1), draw_stripes(200, 2)};
}

// loss.calm = w: the mean square of the logits, against sure answers.
Variable calm(const distill::LossInputs& in) { return mean(square(in.logits)); }

}  // namespace

int main(int argc, char** argv) {
  return cli::run(argc, argv, {{{"tanh_net", tanh_net}}, {{"stripes", stripes}}, {{"calm", calm}}});
}
