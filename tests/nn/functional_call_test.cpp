#include "nn/functional_call.h"

#include <catch2/catch.hpp>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "nn/layers.h"

using namespace athanor;
using namespace athanor::nn;
using Catch::Contains;
using Vars = std::vector<Variable>;

namespace {

// A perceptron whose parameters are converted to f64.
class Perceptron final : public Module {
 public:
  explicit Perceptron(Generator& g) {
    w1_ = register_parameter("w1", random_normal({5, 3}, g, 0, 0.5, DType::f64));
    w2_ = register_parameter("w2", random_normal({2, 5}, g, 0, 0.5, DType::f64));
  }
  Variable forward(const Variable& x) override { return linear(tanh(linear(x, w1_)), w2_); }

 private:
  Parameter w1_, w2_;
};

Tensor normal(const Shape& shape, std::uint64_t seed) {
  Generator g(seed);
  return random_normal(shape, g, 0, 1, DType::f64);
}

}  // namespace

TEST_CASE("functional_call reads the given parameters and leaves the module alone") {
  Generator g(1);
  Sequential net(
      {std::make_shared<Linear>(3, 4, g), relu_layer(), std::make_shared<Linear>(4, 2, g)});
  const Variable x(random_normal({5, 3}, g));
  const auto before = net.forward(x).tensor().to_vector<float>();
  ParameterMap p;
  p.emplace("2.weight", Variable(zeros({2, 4}), true));
  p.emplace("2.bias", Variable(full({2}, 7), true));
  const Variable y = functional_call(net, p, x);
  CHECK(y.tensor().to_vector<float>() == std::vector<float>(10, 7));
  CHECK(net.forward(x).tensor().to_vector<float>() == before);
  // Gradients go to the replacements and to the parameters that stayed.
  sum(y).backward();
  CHECK(p.at("2.bias").grad().tensor().to_vector<float>() == std::vector<float>{5, 5});
  CHECK(net.named_parameters()[0].second.grad().defined());
  CHECK_FALSE(net.named_parameters()[3].second.grad().defined());
}

TEST_CASE("gradients through an inner SGD step agree with differences, twice") {
  Generator g(2);
  Perceptron student(g);
  const Variable x(normal({4, 3}, 3)), test_x(normal({4, 3}, 4)), test_y(normal({4, 2}, 5));
  // The loss after one SGD step, as a function of the labels and of the initial weights: what
  // learns labels (or weights of samples) for distillation.
  const DifferentiableFunction outer = [&](const Vars& in) {
    ParameterMap p{{"w1", in[1]}, {"w2", in[2]}};
    const Variable inner = mean(square(functional_call(student, p, x) - in[0]));
    const auto d = grad({inner}, {in[1], in[2]}, true);
    p.at("w1") = in[1] - d[0] * 0.3;
    p.at("w2") = in[2] - d[1] * 0.3;
    return mean(square(functional_call(student, p, test_x) - test_y));
  };
  const std::vector<Tensor> inputs{normal({4, 2}, 6), normal({5, 3}, 7), normal({2, 5}, 8)};
  const GradcheckResult first = gradcheck(outer, inputs);
  INFO(first.message);
  CHECK(first.ok);
  const GradcheckResult second = gradgradcheck(outer, inputs);
  INFO(second.message);
  CHECK(second.ok);
}

TEST_CASE("labels learned through an inner step lower the loss") {
  Generator g(2);
  Perceptron student(g);
  const Variable x(normal({4, 3}, 3)), test_x(normal({4, 3}, 4)), test_y(normal({4, 2}, 5));
  Variable labels(zeros({4, 2}, DType::f64), true);
  std::vector<double> losses;
  for (int step = 0; step < 20; ++step) {
    ParameterMap p = parameter_map(student);
    const Variable inner = mean(square(functional_call(student, p, x) - labels));
    const auto d = grad({inner}, {p.at("w1"), p.at("w2")}, true);
    p.at("w1") = p.at("w1") - d[0];
    p.at("w2") = p.at("w2") - d[1];
    const Variable outer = mean(square(functional_call(student, p, test_x) - test_y));
    losses.push_back(outer.item());
    labels.set_value(sub(labels.tensor(), mul(grad({outer}, {labels})[0].tensor(), 3.0)));
  }
  CHECK(losses.back() < 0.7 * losses.front());
}

TEST_CASE("functional_call refuses what does not fit") {
  Generator g(1);
  Linear layer(3, 4, g);
  const Variable x(ones({2, 3}));
  CHECK_THROWS_WITH(functional_call(layer, {{"wieght", Variable(ones({4, 3}))}}, x),
                    Contains("names of the module's parameters, got wieght"));
  CHECK_THROWS_WITH(functional_call(layer, {{"weight", Variable(ones({3, 4}))}}, x),
                    Contains("weight: expected [4, 3] f32 cpu, got [3, 4]"));
  // A module that copied its parameter into a Variable would ignore the replacement.
  class Stubborn final : public Module {
   public:
    Stubborn() : scale_(register_parameter("scale", ones({1})).get()) {}
    Variable forward(const Variable& v) override { return v * scale_; }

   private:
    Variable scale_;
  };
  Stubborn stubborn;
  CHECK_THROWS_WITH(functional_call(stubborn, {{"scale", Variable(ones({1}))}}, x),
                    Contains("scale was not read"));
}

TEST_CASE("functional calls nest") {
  Generator g(1);
  Linear layer(1, 1, g, false);
  const Variable x(ones({1, 1}));
  const auto weight = [](double w) { return ParameterMap{{"weight", Variable(full({1, 1}, w))}}; };
  const ParameterMap outer_weights = weight(2);
  const ReplaceParameters outer(layer, outer_weights);
  CHECK(functional_call(layer, weight(5), x).item() == 5);
  CHECK(layer.forward(x).item() == 2);
  CHECK_NOTHROW(outer.check_used());
}
