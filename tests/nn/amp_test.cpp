#include "nn/amp.h"

#include <catch2/catch.hpp>
#include <limits>

#include "autograd/autocast.h"
#include "autograd/ops.h"
#include "nn/layers.h"
#include "nn/optim.h"
#include "tensor/ops.h"

namespace athanor::nn {
namespace {

using Catch::Contains;

Tensor values(const Shape& shape, std::uint64_t seed = 1) {
  Generator generator(seed);
  return random_uniform(shape, generator, -1, 1);
}

TEST_CASE("autocast: each rule gives its dtype, forward and backward") {
  const Variable x(values({4, 6}), true), w(values({3, 6}, 2), true), b(values({3}, 3), true);
  const Autocast scope(DType::bf16);
  const Variable y = linear(x, w, b);
  CHECK(y.dtype() == DType::bf16);  // low
  CHECK(matmul(x, transpose(w)).dtype() == DType::bf16);
  CHECK(relu(y).dtype() == DType::bf16);    // promote: as they come
  CHECK((y + b).dtype() == DType::f32);     // promote: the wider one
  CHECK(softmax(y).dtype() == DType::f32);  // f32
  CHECK(exp(y).dtype() == DType::f32);
  CHECK(sum(y).dtype() == DType::f32);
  CHECK(layer_norm(y, b, b).dtype() == DType::f32);
  const AddNormVariables normed = add_layer_norm(cast(y, DType::f32), y, b, b);
  CHECK(normed.y.dtype() == DType::f32);
  CHECK(normed.sum.dtype() == DType::f32);
  CHECK(cross_entropy(y, cast(zeros({4}), DType::i64)).dtype() == DType::f32);
  CHECK(linear(cast(x, DType::f64), cast(w, DType::f64), {}).dtype() == DType::f64);
  cross_entropy(y, cast(zeros({4}), DType::i64)).backward();
  for (const Variable& v : {x, w, b}) CHECK(v.grad().dtype() == DType::f32);
}

TEST_CASE("autocast: scopes nest, end, and stay on their thread") {
  const Variable x(values({2, 2}));
  {
    const Autocast outer(DType::bf16);
    {
      const Autocast inner(DType::f16);
      CHECK(matmul(x, x).dtype() == DType::f16);
      const Autocast off(DType::f32);
      CHECK(matmul(x, x).dtype() == DType::f32);
    }
    CHECK(matmul(x, x).dtype() == DType::bf16);
  }
  CHECK(matmul(x, x).dtype() == DType::f32);
  CHECK_THROWS_WITH(Autocast(DType::f64), Contains("expected dtype f16, bf16 or f32"));
}

TEST_CASE("autocast: the table") {
  const Device cpu, cuda{DeviceType::cuda, 0};
  CHECK(autocast_rule("matmul", cpu) == AutocastRule::low);
  CHECK(autocast_rule("softmax", cpu) == AutocastRule::f32);
  CHECK(autocast_rule("relu", cpu) == AutocastRule::promote);
  CHECK(autocast_rule("conv2d", cuda) == AutocastRule::low);
  CHECK(autocast_rule("conv2d", cpu) == AutocastRule::f32);  // no 16-bit kernels there
}

TEST_CASE("autocast: a parameter is converted once a scope, and again after it changed") {
  Variable w(values({64, 64}), true);
  const Variable x(values({2, 64}));
  const Autocast scope(DType::bf16);
  const Variable first = autocast("matmul", w);
  CHECK(autocast("matmul", w).tensor().storage().get() == first.tensor().storage().get());
  Tensor value = w.tensor();
  fill_(value, 3);
  CHECK(autocast("matmul", w).tensor().to_vector<bf16>()[0] == 3.0f);
  // A conversion made without a graph is not used with one.
  Variable v(values({4, 4}), true);
  {
    const NoGrad none;
    matmul(v, v);
  }
  sum(matmul(v, v)).backward();
  CHECK(v.grad().defined());
}

// The loss after a short training in `low`, or in f32.
double trained_loss(DType low, bool scaled) {
  Generator generator(4);
  Linear first(8, 32, generator), second(32, 3, generator);
  std::vector<Variable> parameters = first.parameters();
  for (const Variable& p : second.parameters()) parameters.push_back(p);
  AdamW optimizer(parameters);
  LossScaler scaler({.enabled = scaled});
  const Variable x(values({96, 8}));
  const Tensor targets = argmax(slice(x.tensor(), 1, 0, 3), 1);
  double loss = 0;
  for (int step = 0; step < 60; ++step) {
    Variable value;
    {
      const Autocast scope(low);
      value = cross_entropy(second(relu(first(x))), targets);
    }
    scaler.scale(value).backward();
    if (scaler.unscale(parameters)) optimizer.step(0.02);
    for (Variable& p : parameters) p.zero_grad();
    loss = value.item();
  }
  return loss;
}

TEST_CASE("training in bf16 and in scaled f16 follows f32") {
  const double exact = trained_loss(DType::f32, false);
  CHECK(exact < 0.1);
  // Products of 8 and 11 bits: the losses differ in their second digit.
  CHECK(trained_loss(DType::bf16, false) == Approx(exact).margin(0.03));
  CHECK(trained_loss(DType::f16, true) == Approx(exact).margin(0.03));
}

TEST_CASE("the loss scale brings small gradients through f16") {
  const auto gradient = [](double factor) {
    Variable w(full({1, 1}, 1), true);
    LossScaler scaler({.initial = factor});
    const Autocast scope(DType::f16);
    const Variable y = matmul(Variable(full({1, 1}, 1)), w);
    scaler.scale(mean(y) * 1e-8).backward();  // 1e-8 is 0 in f16
    std::vector<Variable> parameters{w};
    REQUIRE(scaler.unscale(parameters));
    return w.grad().item();
  };
  CHECK(gradient(1) == 0);
  CHECK(gradient(65536) == Approx(1e-8).epsilon(1e-3));
}

TEST_CASE("the loss scale falls on overflow, skipping the step, and grows again") {
  Variable w(ones({2}), true);
  std::vector<Variable> parameters{w};
  LossScaler scaler({.initial = 1024, .interval = 3});
  for (double bad : {std::numeric_limits<double>::infinity(), std::nan("")}) {
    w.set_grad(Variable(full({2}, bad)));
    CHECK_FALSE(scaler.unscale(parameters));
  }
  CHECK(scaler.factor() == 256);
  CHECK(scaler.skipped() == 2);
  for (int step = 0; step < 3; ++step) {
    w.set_grad(Variable(full({2}, 256)));
    CHECK(scaler.unscale(parameters));
    CHECK(w.grad().tensor().to_vector<float>()[0] == 1);
  }
  CHECK(scaler.factor() == 512);
  LossScaler resumed;
  resumed.set_state(scaler.state());
  CHECK(resumed.factor() == 512);
  CHECK(resumed.skipped() == 2);
  CHECK_THROWS_WITH(LossScaler({.growth = 1}), Contains("growth > 1"));
}

TEST_CASE("f32 masters keep updates that 16-bit weights would lose") {
  Variable w(full({1}, 1, DType::bf16), true), other(ones({1}), true);
  MasterWeights masters({w, other});
  CHECK(masters.parameters()[0].dtype() == DType::f32);
  CHECK(masters.parameters()[1].state() == other.state());
  Sgd optimizer(masters.parameters());
  for (int step = 0; step < 16; ++step) {
    sum(w).backward();
    masters.take_gradients();
    CHECK_FALSE(w.grad().defined());
    optimizer.step(0.001);  // 1 - 0.001 is 1 in bf16
    masters.write_back();
  }
  CHECK(masters.parameters()[0].item() == Approx(0.984));
  CHECK(w.item() == Approx(0.984).epsilon(0.004));
}

}  // namespace
}  // namespace athanor::nn
