// Compression of the units, d -> d / 8, by an autoencoder that starts as PCA:
//   z = P (x - mean) / scale + E(x),   x' = scale (P^T z + D(z)) + mean,
// with P the principal components and E, D networks of one hidden layer whose last weights start at
// zero. At the start it is PCA exactly; what it learns is kept only if it helps on records that it
// does not learn from.
#pragma once

#include <cstdint>
#include <vector>

#include "distill/restructure/pca.h"
#include "tensor/tensor.h"

namespace athanor::distill {

struct AutoencoderOptions {
  std::int64_t compression = 8;  // code width = max(1, d / compression)
  std::int64_t hidden = 0;       // 0 = 2 d
  int epochs = 60;
  int patience = 6;  // epochs without a better held-out error before training ends
  std::int64_t batch = 128;
  double lr = 1e-3;
  double weight_decay = 1e-4;
  std::uint64_t seed = 0;
};

struct AutoencoderReport {
  std::int64_t width = 0, code_width = 0;
  std::int64_t bytes_before = 0;   // units as f32
  std::int64_t bytes_after = 0;    // codes as f32
  std::int64_t decoder_bytes = 0;  // what reads the codes back, once for all units
  // On a tenth of the units that neither training nor early stopping saw:
  double fvu = 0;      // fraction of variance unexplained, |x - x'|^2 / |x - mean of training|^2
  double pca_fvu = 0;  // the same of PCA of equal width
  double recall = 0;   // share of the 10 nearest units that are nearest by code too
  double pca_recall = 0;
  int epochs = 0;  // trained
};

class Autoencoder {
 public:
  // Codes of x [n, d] f32: [n, d / compression].
  Tensor encode(const Tensor& x) const;
  // Units rebuilt from codes: [n, d].
  Tensor decode(const Tensor& codes) const;
  const AutoencoderReport& report() const { return report_; }

 private:
  friend Autoencoder fit_autoencoder(const Tensor& x, const AutoencoderOptions& options);
  Pca pca_;
  double scale_ = 1;
  std::vector<Tensor> weights_;  // of E then D: w1, b1, w2, b2 each
  AutoencoderReport report_;
};

// Fits units x [n, d] f32, n >= 20: eight tenths train, one tenth stops, one tenth is reported on.
Autoencoder fit_autoencoder(const Tensor& x, const AutoencoderOptions& options = {});

}  // namespace athanor::distill
