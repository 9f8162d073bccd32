// Optimisers. They write parameters in place and keep their own state in f32 or f64 like the
// parameter's.
#pragma once

#include <vector>

#include "autograd/variable.h"

namespace athanor::nn {

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double weight_decay = 1e-2;  // decoupled (Loshchilov & Hutter 2019)
};

// m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,
// p = p (1 - lr wd) - lr m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps)
class AdamW {
 public:
  explicit AdamW(std::vector<Variable> parameters, const AdamWOptions& options = {});
  // One step with learning rate `rate`; a parameter without a gradient stays.
  void step(double rate);
  std::vector<Variable>& parameters() { return parameters_; }

 private:
  std::vector<Variable> parameters_;
  std::vector<Tensor> m_, v_;
  AdamWOptions options_;
  std::int64_t t_ = 0;
};

struct SgdOptions {
  double momentum = 0, weight_decay = 0;
};

// b = momentum b + g + wd p,  p = p - lr b
class Sgd {
 public:
  explicit Sgd(std::vector<Variable> parameters, const SgdOptions& options = {});
  void step(double rate);

 private:
  std::vector<Variable> parameters_;
  std::vector<Tensor> momentum_;
  SgdOptions options_;
};

}  // namespace athanor::nn
