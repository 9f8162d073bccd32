#include "nn/autoencoder.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "nn/functional_call.h"
#include "nn/optim.h"

using namespace athanor;
using namespace athanor::nn;

namespace {

// gradcheck of f() over the parameters of `module`.
template <class F>
bool parameters_check(Module& module, F&& f) {
  std::vector<std::string> names;
  std::vector<Tensor> values;
  for (const auto& [name, p] : module.named_parameters()) {
    names.push_back(name);
    values.push_back(clone(p.tensor()));
  }
  return gradcheck(
             [&](const std::vector<Variable>& x) {
               ParameterMap map;
               for (std::size_t i = 0; i < names.size(); ++i) map.emplace(names[i], x[i]);
               const ReplaceParameters scope(module, map);
               return f();
             },
             values)
      .ok;
}

// The reconstruction error after `steps` steps on one batch, over the error of the mean.
template <class Loss>
double trained(Module& module, const Tensor& x, int steps, Loss&& loss) {
  AdamW optimizer(module.parameters());
  for (int i = 0; i < steps; ++i) {
    optimizer.zero_grad();
    loss().backward();
    optimizer.step(1e-2);
  }
  const NoGrad no_grad;
  module.eval();
  const double error = mean(square(sub(module.forward(Variable(x)).tensor(), x))).item();
  return error / mean(square(sub(x, mean(x, {0}, true)))).item();
}

// Points near a curve: two numbers say where they are.
Tensor points(std::int64_t count, Generator& g) {
  const Tensor angle = random_uniform({count, 1}, g, 0, 3);
  return cat(std::vector<Tensor>{sin(angle), cos(angle), mul(angle, 0.5), square(sin(angle))}, 1);
}

}  // namespace

TEST_CASE("autoencoders have shapes, gradients and a state of their own") {
  Generator g(1);
  auto dense = dense_autoencoder({6, 5, 2}, g);
  dense->to(DType::f64);
  const Variable x(random_normal({3, 6}, g, 0, 1, DType::f64));
  CHECK(dense->encode(x).shape() == Shape{3, 2});
  CHECK(dense->forward(x).shape() == Shape{3, 6});
  CHECK(parameters_check(*dense, [&] { return dense->forward(x); }));

  auto conv = conv_autoencoder({1, 8, 4}, {2, 3}, 4, g);
  conv->to(DType::f64);
  const Variable image(random_normal({2, 1, 8, 4}, g, 0, 1, DType::f64));
  CHECK(conv->encode(image).shape() == Shape{2, 4});
  CHECK(conv->forward(image).shape() == image.shape());
  CHECK(parameters_check(*conv, [&] { return conv->forward(image); }));
  auto other = conv_autoencoder({1, 8, 4}, {2, 3}, 4, g);
  other->to(DType::f64);
  other->load_state_dict(conv->state_dict());
  CHECK(other->forward(image).tensor().to_vector<double>() ==
        conv->forward(image).tensor().to_vector<double>());
  CHECK_THROWS_WITH(conv_autoencoder({1, 6, 4}, {2, 3}, 4, g), Catch::Contains("multiples of 4"));
}

TEST_CASE("plain and denoising autoencoders learn a curve") {
  Generator g(2);
  const Tensor x = points(64, g);
  auto plain = dense_autoencoder({4, 16, 2}, g);
  CHECK(trained(*plain, x, 400, [&] { return mse_loss(plain->forward(Variable(x)), x); }) < 0.05);
  auto denoising = dense_autoencoder({4, 16, 2}, g);
  CHECK(trained(*denoising, x, 400, [&] {
          return mse_loss(denoising->forward(Variable(corrupted(x, 0.1, 0.1, g))), x);
        }) < 0.2);
}

TEST_CASE("corruption adds noise of the deviation and zeros of the share") {
  Generator g(3);
  const Tensor x = corrupted(ones({10000}), 0.5, 0.25, g);
  const auto values = x.to_vector<float>();
  double zeros = 0, sum = 0, squares = 0;
  for (const float v : values) {
    zeros += v == 0;
    if (v == 0) continue;
    sum += v;
    squares += (v - 1.0) * (v - 1.0);
  }
  const double kept = 10000 - zeros;
  CHECK(zeros / 10000 == Approx(0.25).margin(0.025));  // five standard deviations
  CHECK(sum / kept == Approx(1).margin(0.03));
  CHECK(std::sqrt(squares / kept) == Approx(0.5).margin(0.025));
}

TEST_CASE("a variational autoencoder: divergence by hand, gradients, learning, sampling") {
  const Variable zero(zeros({2, 3}, DType::f64));
  CHECK(kl_to_standard_normal({zero, zero}).item() == 0);
  const Variable one(ones({2, 3}, DType::f64));
  // 3 (1 + e - 1 - 1) / 2 for each of two records.
  CHECK(kl_to_standard_normal({one, one}).item() == Approx(3 * (std::exp(1.0) - 1) / 2));

  Generator g(4);
  const auto part = [&](std::int64_t in, std::int64_t out) -> std::shared_ptr<Module> {
    return std::make_shared<Sequential>(std::vector<std::shared_ptr<Module>>{
        std::make_shared<Linear>(in, 16, g), relu_layer(), std::make_shared<Linear>(16, out, g)});
  };
  VariationalAutoencoder model(part(4, 4), part(2, 4), g);
  const Tensor x = points(64, g);
  const double share = trained(model, x, 600, [&] {
    const auto code = model.encode(Variable(x));
    const Variable loss = mse_loss(model.decode(model.sample(code)), x);
    return loss + kl_to_standard_normal(code) * 1e-3;
  });
  CHECK(share < 0.2);
  // Equal states of the generator draw equal samples; the next one differs.
  const auto code = model.encode(Variable(x));
  Generator* own = model.generators().at(0);
  const std::uint64_t at = own->position();
  const auto first = model.sample(code).tensor().to_vector<float>();
  CHECK(model.sample(code).tensor().to_vector<float>() != first);
  own->set_position(at);
  CHECK(model.sample(code).tensor().to_vector<float>() == first);
  model.to(DType::f64);
  CHECK(parameters_check(model, [&] {
    own->set_position(at);
    return model.decode(model.sample(model.encode(cast(Variable(x), DType::f64))));
  }));
}
