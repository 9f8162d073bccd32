// Autoencoders: plain, convolutional, denoising and variational.
#pragma once

#include <memory>
#include <vector>

#include "nn/layers.h"

namespace athanor::nn {

// decode(encode(x)), of any two modules.
class Autoencoder final : public Module {
 public:
  Autoencoder(std::shared_ptr<Module> encoder, std::shared_ptr<Module> decoder);
  Variable forward(const Variable& x) override { return decode(encode(x)); }
  Variable encode(const Variable& x) { return encoder_->forward(x); }
  Variable decode(const Variable& code) { return decoder_->forward(code); }

 private:
  std::shared_ptr<Module> encoder_, decoder_;
};

// Linear layers of the sizes [input, ..., code] with ReLU between them, and the same back.
std::shared_ptr<Autoencoder> dense_autoencoder(const std::vector<std::int64_t>& sizes,
                                               Generator& generator);

// Images [N, C, H, W]: for each of `channels` a convolution 3x3 that halves the image, with ReLU;
// a linear layer to a code [N, code]; and back by transposed convolutions. H and W are multiples of
// 2^channels.size().
std::shared_ptr<Autoencoder> conv_autoencoder(const Shape& image,
                                              const std::vector<std::int64_t>& channels,
                                              std::int64_t code, Generator& generator);

// What a denoising autoencoder gets as its input (Vincent et al. 2008): normal noise of deviation
// `noise` is added, then each element is 0 with probability `masked`.
Tensor corrupted(const Tensor& x, double noise, double masked, Generator& generator);

// A variational autoencoder (Kingma & Welling 2014). The encoder gives [N, 2 code]: means, then the
// logarithms of variances.
class VariationalAutoencoder final : public Module {
 public:
  VariationalAutoencoder(std::shared_ptr<Module> encoder, std::shared_ptr<Module> decoder,
                         Generator& generator);
  // The reconstruction from the code's mean.
  Variable forward(const Variable& x) override;

  struct Code {
    Variable mean, log_variance;  // [N, code]
  };
  Code encode(const Variable& x);
  // mean + exp(log_variance / 2) noise, noise standard normal.
  Variable sample(const Code& code);
  Variable decode(const Variable& z) { return decoder_->forward(z); }

 private:
  std::shared_ptr<Module> encoder_, decoder_;
  Generator generator_;
};

// KL(N(mean, variance) || N(0, 1)), summed over the code and averaged over the batch:
// 1/2 sum (mean^2 + variance - 1 - log variance).
Variable kl_to_standard_normal(const VariationalAutoencoder::Code& code);

}  // namespace athanor::nn
