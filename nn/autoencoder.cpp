#include "nn/autoencoder.h"

#include "autograd/ops.h"
#include "nn/conv.h"
#include "nn/init.h"

namespace athanor::nn {
namespace {

using Layers = std::vector<std::shared_ptr<Module>>;

// Linear layers of these sizes with ReLU between them.
std::shared_ptr<Module> dense_layers(const std::vector<std::int64_t>& sizes, Generator& generator) {
  Layers layers;
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
    if (i > 0) layers.push_back(relu_layer());
    layers.push_back(std::make_shared<Linear>(sizes[i], sizes[i + 1], generator));
  }
  return std::make_shared<Sequential>(std::move(layers));
}

}  // namespace

Autoencoder::Autoencoder(std::shared_ptr<Module> encoder, std::shared_ptr<Module> decoder)
    : encoder_(register_module("encoder", std::move(encoder))),
      decoder_(register_module("decoder", std::move(decoder))) {}

std::shared_ptr<Autoencoder> dense_autoencoder(const std::vector<std::int64_t>& sizes,
                                               Generator& generator) {
  if (sizes.size() < 2) fail("dense_autoencoder", "expected at least 2 sizes, got ", sizes.size());
  auto encoder = dense_layers(sizes, generator);
  return std::make_shared<Autoencoder>(encoder,
                                       dense_layers({sizes.rbegin(), sizes.rend()}, generator));
}

std::shared_ptr<Autoencoder> conv_autoencoder(const Shape& image,
                                              const std::vector<std::int64_t>& channels,
                                              std::int64_t code, Generator& generator) {
  const std::int64_t parts = std::int64_t{1} << channels.size();
  if (image.size() != 3 || channels.empty() || image[1] % parts != 0 || image[2] % parts != 0) {
    fail("conv_autoencoder", "expected channels and an image [C, H, W] of multiples of ", parts,
         ", got ", image);
  }
  Conv2dOptions down;
  down.stride = 2;
  down.padding = 1;
  ConvTranspose2dOptions up;
  up.stride = 2;
  up.padding = up.output_padding = 1;
  Layers encoder, decoder;
  std::int64_t in = image[0];
  for (const std::int64_t out : channels) {
    encoder.push_back(std::make_shared<Conv2d>(in, out, 3, generator, down));
    encoder.push_back(relu_layer());
    in = out;
  }
  const std::int64_t h = image[1] / parts, w = image[2] / parts;
  encoder.push_back(flatten_layer());
  encoder.push_back(std::make_shared<Linear>(in * h * w, code, generator));
  decoder.push_back(std::make_shared<Linear>(code, in * h * w, generator));
  decoder.push_back(std::make_shared<Function>([in, h, w](const Variable& x) {
    return reshape(relu(x), {-1, in, h, w});
  }));
  for (std::size_t i = channels.size(); i-- > 0;) {
    const std::int64_t out = i == 0 ? image[0] : channels[i - 1];
    decoder.push_back(std::make_shared<ConvTranspose2d>(channels[i], out, 3, generator, up));
    if (i > 0) decoder.push_back(relu_layer());
  }
  return std::make_shared<Autoencoder>(std::make_shared<Sequential>(std::move(encoder)),
                                       std::make_shared<Sequential>(std::move(decoder)));
}

Tensor corrupted(const Tensor& x, double noise, double masked, Generator& generator) {
  if (!(noise >= 0) || !(masked >= 0 && masked < 1)) {
    fail("corrupted", "expected noise >= 0 and masked in [0, 1), got ", noise, " and ", masked);
  }
  Tensor y = x;
  if (noise > 0) y = add(y, random_normal(x.shape(), generator, 0, noise, x.dtype()));
  if (masked > 0) y = masked_fill(y, random_bernoulli(x.shape(), generator, masked), 0);
  return y;
}

VariationalAutoencoder::VariationalAutoencoder(std::shared_ptr<Module> encoder,
                                               std::shared_ptr<Module> decoder,
                                               Generator& generator)
    : encoder_(register_module("encoder", std::move(encoder))),
      decoder_(register_module("decoder", std::move(decoder))),
      generator_(generator.fork(generator.next_u32())) {
  register_generator(generator_);
}

Variable VariationalAutoencoder::forward(const Variable& x) { return decode(encode(x).mean); }

VariationalAutoencoder::Code VariationalAutoencoder::encode(const Variable& x) {
  const Variable both = encoder_->forward(x);
  if (both.rank() != 2 || both.size(1) % 2 != 0) {
    fail("VariationalAutoencoder", "expected the encoder to give [N, 2 code], got ",
         describe(both.tensor()));
  }
  const std::vector<Variable> parts = chunk(both, 2, 1);
  return {parts[0], parts[1]};
}

Variable VariationalAutoencoder::sample(const Code& code) {
  const Tensor noise = random_normal(code.mean.shape(), generator_, 0, 1, code.mean.dtype());
  return code.mean + exp(code.log_variance * 0.5) * Variable(noise);
}

Variable kl_to_standard_normal(const VariationalAutoencoder::Code& code) {
  const Variable terms = square(code.mean) + exp(code.log_variance) - 1.0 - code.log_variance;
  return sum(terms) * (0.5 / static_cast<double>(code.mean.size(0)));
}

}  // namespace athanor::nn
