#include "nn/recurrent.h"

#include "autograd/ops.h"
#include "nn/init.h"
#include "tensor/ops/device.h"

namespace athanor::nn {

Recurrent::Recurrent(const RecurrentOptions& options, std::int64_t gates, Generator& generator)
    : options_(options) {
  const RecurrentOptions& o = options_;
  check_sizes("Recurrent", {o.in, o.hidden, o.layers});
  for (std::int64_t layer = 0; layer < o.layers; ++layer) {
    const std::int64_t in = layer == 0 ? o.in : o.hidden * (o.bidirectional ? 2 : 1);
    for (const char* end : {"", "_reverse"}) {
      if (*end && !o.bidirectional) continue;
      const auto parameter = [&](const char* name, const Shape& shape) {
        return register_parameter(str(name, "_l", layer, end),
                                  uniform_by_fan_in(shape, o.hidden, generator));
      };
      Direction d;
      d.weight_ih = parameter("weight_ih", {gates * o.hidden, in});
      d.weight_hh = parameter("weight_hh", {gates * o.hidden, o.hidden});
      d.bias_ih = parameter("bias_ih", {gates * o.hidden});
      d.bias_hh = parameter("bias_hh", {gates * o.hidden});
      directions_.push_back(d);
    }
  }
}

std::pair<Variable, RecurrentState> Recurrent::run(const Variable& x, const RecurrentState& start) {
  if (x.rank() != 3 || x.size(2) != options_.in || x.size(1) < 1) {
    fail("Recurrent", "expected [B, L, ", options_.in, "] with L >= 1, got ", describe(x.tensor()));
  }
  if (!start.h.empty() && start.h.size() != directions_.size()) {
    fail("Recurrent", "expected ", directions_.size(), " states, got ", start.h.size());
  }
  const std::int64_t B = x.size(0), L = x.size(1);
  const Variable nothing(zeros({B, options_.hidden}, x.dtype(), x.device()));
  const std::size_t ways = options_.bidirectional ? 2 : 1;
  RecurrentState last;
  Variable y = x;
  for (std::size_t layer = 0; layer * ways < directions_.size(); ++layer) {
    std::vector<Variable> sides;
    for (std::size_t way = 0; way < ways; ++way) {
      const std::size_t at = layer * ways + way;
      const Direction& d = directions_[at];
      // All steps' inputs in one product; split, because its gradient joins them in one pass.
      const std::vector<Variable> projected =
          split(linear(y, d.weight_ih, d.bias_ih),
                std::vector<std::int64_t>(static_cast<std::size_t>(L), 1), 1);
      Variable h = start.h.empty() ? nothing : start.h[at];
      Variable c = start.c.empty() ? nothing : start.c[at];
      std::vector<Variable> states(static_cast<std::size_t>(L));
      for (std::int64_t k = 0; k < L; ++k) {
        const auto l = static_cast<std::size_t>(way == 0 ? k : L - 1 - k);
        step(squeeze(projected[l], 1), d.weight_hh, d.bias_hh, h, c);
        states[l] = h;
      }
      sides.push_back(stack(states, 1));
      last.h.push_back(h);
      last.c.push_back(c);
    }
    y = ways == 1 ? sides[0] : cat(sides, 2);
  }
  return {y, last};
}

void Lstm::step(const Variable& projected, const Variable& weight, const Variable& bias,
                Variable& h, Variable& c) const {
  const std::vector<Variable> part = chunk(projected + linear(h, weight, bias), 4, 1);
  c = sigmoid(part[1]) * c + sigmoid(part[0]) * tanh(part[2]);
  h = sigmoid(part[3]) * tanh(c);
}

void Gru::step(const Variable& projected, const Variable& weight, const Variable& bias, Variable& h,
               Variable&) const {
  const std::vector<Variable> x = chunk(projected, 3, 1);
  const std::vector<Variable> from_h = chunk(linear(h, weight, bias), 3, 1);
  const Variable r = sigmoid(x[0] + from_h[0]), z = sigmoid(x[1] + from_h[1]);
  const Variable n = tanh(x[2] + r * from_h[2]);
  h = n + z * (h - n);
}

}  // namespace athanor::nn
