// Layers: modules hold named parameters.
#include <iostream>

#include "autograd/ops.h"
#include "nn/functional_call.h"
#include "nn/layers.h"

using namespace athanor;

// A residual block: two linear layers around a nonlinearity, added to the input.
class Residual final : public nn::Module {
 public:
  Residual(std::int64_t width, Generator& generator) {
    up_ = register_module("up", std::make_shared<nn::Linear>(width, 2 * width, generator));
    down_ = register_module("down", std::make_shared<nn::Linear>(2 * width, width, generator));
  }
  Variable forward(const Variable& x) override { return x + down_->forward(gelu(up_->forward(x))); }

 private:
  std::shared_ptr<nn::Linear> up_, down_;
};

int main() {
  Generator generator(1);
  nn::Sequential net(
      {std::make_shared<Residual>(8, generator), std::make_shared<nn::Linear>(8, 3, generator)});
  for (const auto& [name, parameter] : net.named_parameters()) {
    std::cout << name << ' ' << parameter.shape() << '\n';
  }
  std::cout << net.parameter_count() << " parameters\n";

  const Variable x(random_normal({5, 8}, generator));
  std::cout << net(x).shape() << '\n';

  // A module is a function of its parameters, and can be called with others.
  nn::ParameterMap p = nn::parameter_map(net);
  p.at("1.weight") = p.at("1.weight") * 0.0;
  p.at("1.bias") = p.at("1.bias") * 0.0 + 1.0;
  std::cout << sum(nn::functional_call(net, p, x)).item() << '\n';
}
