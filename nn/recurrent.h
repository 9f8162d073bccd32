// Recurrent layers with the formulas and parameter names of PyTorch's: "weight_ih_l0" [G H, in],
// "weight_hh_l0" [G H, H], "bias_ih_l0", "bias_hh_l0", "..._l0_reverse".
#pragma once

#include <vector>

#include "nn/module.h"

namespace athanor::nn {

struct RecurrentOptions {
  std::int64_t in = 0, hidden = 0;
  std::int64_t layers = 1;
  bool bidirectional = false;  // a second pass from the end; results stand side by side
};

// The last state of each layer and direction (layer 0 forward, layer 0 backward, layer 1, ...).
struct RecurrentState {
  std::vector<Variable> h;  // [B, hidden] each
  std::vector<Variable> c;  // of an LSTM
};

// Base of Lstm and Gru: layers and directions over a step of theirs.
class Recurrent : public Module {
 public:
  // x [B, L, in] -> [B, L, hidden], or 2 hidden when bidirectional.
  Variable forward(const Variable& x) override { return run(x).first; }
  // The state to start from is zeros when empty.
  std::pair<Variable, RecurrentState> run(const Variable& x, const RecurrentState& state = {});

 protected:
  Recurrent(const RecurrentOptions& options, std::int64_t gates, Generator& generator);
  // One step: `projected` is W_ih x + b_ih [B, G H]; h and c are read and written.
  virtual void step(const Variable& projected, const Variable& weight, const Variable& bias,
                    Variable& h, Variable& c) const = 0;

 private:
  struct Direction {
    Parameter weight_ih, weight_hh, bias_ih, bias_hh;
  };
  RecurrentOptions options_;
  std::vector<Direction> directions_;  // layer by layer
};

// i, f, o = sigmoid, g = tanh of the four parts of W_ih x + b_ih + W_hh h + b_hh, in the order
// i, f, g, o;  c = f c + i g,  h = o tanh(c) (Hochreiter & Schmidhuber 1997).
class Lstm final : public Recurrent {
 public:
  Lstm(const RecurrentOptions& options, Generator& generator) : Recurrent(options, 4, generator) {}

 private:
  void step(const Variable& projected, const Variable& weight, const Variable& bias, Variable& h,
            Variable& c) const override;
};

// r, z = sigmoid of the first parts, n = tanh(W_in x + b_in + r (W_hn h + b_hn)),
// h = (1 - z) n + z h (Cho et al. 2014).
class Gru final : public Recurrent {
 public:
  Gru(const RecurrentOptions& options, Generator& generator) : Recurrent(options, 3, generator) {}

 private:
  void step(const Variable& projected, const Variable& weight, const Variable& bias, Variable& h,
            Variable& c) const override;
};

}  // namespace athanor::nn
