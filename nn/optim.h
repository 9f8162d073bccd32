// Optimisers. They write parameters in place; their own state has the parameter's dtype and can be
// saved and restored exactly: a resumed run makes the same bits.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "nn/module.h"
#include "tensor/ops/optimizer.h"

namespace athanor::nn {

// Parameters that are treated alike.
struct ParameterGroup {
  std::vector<Variable> parameters;
  double rate_scale = 1;                              // times the rate given to step()
  std::optional<double> weight_decay = std::nullopt;  // instead of the optimiser's
  bool elementwise = false;  // Muon: the AdamW rule for matrices too (embeddings, output layers)
};

// Two groups: parameters with two axes or more, and the others (biases, norms) without decay.
std::vector<ParameterGroup> decay_matrices_only(const Module& module);

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  // One step with learning rate `rate`; a parameter without a gradient stays.
  void step(double rate);
  void zero_grad();
  std::vector<Variable>& parameters() { return parameters_; }
  std::int64_t steps() const { return t_; }

  // "step" i64 [1], and the state of the i-th parameter as "i.NAME". Copies.
  StateDict state_dict() const;
  // Throws Error(bad_input) unless names, shapes and dtypes are those of state_dict().
  void load_state_dict(const StateDict& state);

 protected:
  struct Slot {
    ParameterGroup* group;
    double weight_decay;
    std::vector<Tensor> state;  // by the names given to the constructor, zeros at first
  };
  Optimizer(std::vector<ParameterGroup> groups, std::vector<std::string> state_names,
            double weight_decay);
  // A parameter that has a gradient; `rate` is its group's.
  struct Update {
    Tensor value, gradient;
    Slot& slot;
    double rate;
  };
  // Writes values and states.
  virtual void update(std::span<Update> updates) = 0;
  std::int64_t t() const { return t_; }  // the number of this step, from 1

 private:
  std::vector<ParameterGroup> groups_;
  std::vector<std::string> state_names_;
  std::vector<Variable> parameters_;
  std::vector<Slot> slots_;      // by parameter
  std::vector<Update> updates_;  // of step(), empty between steps
  std::int64_t t_ = 0;
};

struct SgdOptions {
  double momentum = 0, weight_decay = 0;
  bool nesterov = false;
};

// d = g + wd p,  b = momentum b + d,  p = p - lr b; with nesterov p = p - lr (d + momentum b).
class Sgd final : public Optimizer {
 public:
  explicit Sgd(std::vector<Variable> parameters, const SgdOptions& options = {});
  explicit Sgd(std::vector<ParameterGroup> groups, const SgdOptions& options = {});

 private:
  void update(std::span<Update> updates) override;
  SgdOptions options_;
};

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double weight_decay = 1e-2;  // decoupled (Loshchilov & Hutter 2019)
  bool coupled = false;        // Adam: the decay wd p is added to the gradient (Kingma & Ba 2015)
};

// m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,
// p = p (1 - lr wd) - lr m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps)
class AdamW final : public Optimizer {
 public:
  explicit AdamW(std::vector<Variable> parameters, const AdamWOptions& options = {});
  explicit AdamW(std::vector<ParameterGroup> groups, const AdamWOptions& options = {});

 private:
  void update(std::span<Update> updates) override;
  AdamWOptions options_;
  std::vector<AdamWParameter> all_;  // of update(), empty between steps
};

struct LambOptions {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-6, weight_decay = 1e-2;
};

// r = AdamW's direction + wd p,  p = p - lr |p| / |r| r, the quotient being 1 where a norm is 0
// (You et al. 2020): for large batches.
class Lamb final : public Optimizer {
 public:
  explicit Lamb(std::vector<Variable> parameters, const LambOptions& options = {});
  explicit Lamb(std::vector<ParameterGroup> groups, const LambOptions& options = {});

 private:
  void update(std::span<Update> updates) override;
  LambOptions options_;
};

struct LionOptions {
  double beta1 = 0.9, beta2 = 0.99, weight_decay = 0;
};

// p = p - lr (sign(b1 m + (1 - b1) g) + wd p),  m = b2 m + (1 - b2) g (Chen et al. 2023).
class Lion final : public Optimizer {
 public:
  explicit Lion(std::vector<Variable> parameters, const LionOptions& options = {});
  explicit Lion(std::vector<ParameterGroup> groups, const LionOptions& options = {});

 private:
  void update(std::span<Update> updates) override;
  LionOptions options_;
};

struct MuonOptions {
  double momentum = 0.95;
  double weight_decay = 0.1;
  AdamWOptions elementwise = {0.9, 0.95, 1e-8, 0.1};  // where there is no matrix
};

// For matrices [R, C] (more axes count as columns): b = momentum b + (1 - momentum) g, o = the
// nearest matrix to (1 - momentum) g + momentum b whose singular values are all about 1, by five
// Newton-Schulz steps of degree 5 (Jordan et al. 2024), and
// p = p (1 - lr wd) - lr 0.2 sqrt(max(R, C)) o: updates as large as AdamW's, so that its rates fit
// (Liu et al. 2025). Other parameters, and groups marked elementwise, follow AdamW.
class Muon final : public Optimizer {
 public:
  explicit Muon(std::vector<Variable> parameters, const MuonOptions& options = {});
  explicit Muon(std::vector<ParameterGroup> groups, const MuonOptions& options = {});

 private:
  void update(std::span<Update> updates) override;
  MuonOptions options_;
};

// u s' v^T for g = u s v^T of shape [R, C], s' within about [0.7, 1.2] of s / |g| above 1e-3.
Tensor newton_schulz(const Tensor& g);

}  // namespace athanor::nn
