#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>

#include "autograd/ops.h"
#include "autograd/ops/cross_entropy.h"
#include "nn/clip.h"
#include "nn/metrics.h"
#include "nn/models.h"
#include "nn/optim.h"
#include "nn/schedule.h"
#include "tensor/backend/kernels.h"
#include "tensor/ops/optimizer.h"

using namespace athanor;
using namespace athanor::nn;

TEST_CASE("AdamW makes the step of its formula") {
  // First step: m = (1 - b1) g, v = (1 - b2) g^2, so the corrected step is g / (|g| + eps).
  Variable p(from_values<double>({1.0, -2.0}, {2}), true);
  p.set_grad(Variable(from_values<double>({0.5, -0.25}, {2})));
  AdamW optimizer({p}, {0.9, 0.999, 1e-8, 0.1});
  optimizer.step(0.01);
  const auto values = p.tensor().to_vector<double>();
  CHECK(values[0] == Approx(1.0 * (1 - 0.001) - 0.01).epsilon(1e-7));
  CHECK(values[1] == Approx(-2.0 * (1 - 0.001) + 0.01).epsilon(1e-7));
}

TEST_CASE("the fast AdamW kernel agrees with the reference") {
  Generator generator(3);
  const Shape shape{1003};
  const Tensor g = random_normal(shape, generator), start = random_normal(shape, generator);
  const AdamWRule rule{0.9, 0.999, 1e-8, 0.1, 0.001};
  Tensor p1 = clone(start), m1 = zeros(shape), v1 = zeros(shape);
  Tensor p2 = clone(start), m2 = zeros(shape), v2 = zeros(shape);
  const auto step = [&](const Tensor& p, const Tensor& m, const Tensor& v) {
    AdamWParameter one{p, g, m, v, 1e-2, 1e-2};
    adamw_({&one, 1}, rule);
  };
  step(p1, m1, v1);
  {
    UseReferenceKernels reference;
    step(p2, m2, v2);
  }
  // Some roundings of f32.
  CHECK(amax(abs(sub(p1, p2))).item() <= 2e-6);
  CHECK(p1.version() == 1);
  CHECK_THROWS_WITH(step(p1, zeros({4}), v1), Catch::Contains("[adamw_] expected"));
}

TEST_CASE("SGD with momentum makes the steps of its formula") {
  Variable p(from_values<double>({1.0}, {1}), true);
  Sgd optimizer({p}, {0.9, 0});
  p.set_grad(Variable(from_values<double>({2.0}, {1})));
  optimizer.step(0.1);
  CHECK(p.item() == Approx(0.8));
  optimizer.step(0.1);
  CHECK(p.item() == Approx(0.8 - 0.1 * (0.9 * 2 + 2)));
}

TEST_CASE("one-cycle starts at peak / 25, peaks at 30% and ends near zero") {
  const Schedule s{ScheduleKind::one_cycle, 1e-2, 100};
  CHECK(s.rate(0) == Approx(1e-2 / 25));
  CHECK(s.rate(29) == Approx(1e-2));
  CHECK(s.rate(99) == Approx(1e-2 / 25 / 1e4));
  CHECK(schedule_from_name("one_cycle") == ScheduleKind::one_cycle);
  CHECK_THROWS_WITH(schedule_from_name("onecycle"), Catch::Contains("got onecycle"));
}

TEST_CASE("clipping limits the common norm and keeps shared gradients intact") {
  const Variable shared(from_values<float>({3, 4}, {2}));
  Variable a(zeros({2}), true), b(zeros({2}), true);
  a.set_grad(shared);
  b.set_grad(shared);
  std::vector<Variable> parameters{a, b};
  CHECK(clip_gradient_norm(parameters, 1.0) == Approx(std::sqrt(50.0)));
  CHECK(gradient_norm(parameters) == Approx(1.0));
  CHECK(shared.tensor().to_vector<float>() == std::vector<float>{3, 4});
}

TEST_CASE("metrics by hand") {
  const Tensor predicted = from_values<std::int64_t>({0, 0, 1, 1}, {4});
  const Tensor actual = from_values<std::int64_t>({0, 1, 1, 1}, {4});
  const ConfusionMatrix counts = confusion_matrix(predicted, actual, 3);
  CHECK(accuracy(counts) == Approx(0.75));
  // F1 = 2/3 and 4/5; class 2 does not occur.
  CHECK(macro_f1(counts) == Approx((2.0 / 3 + 0.8) / 2));
  CHECK_THROWS_WITH(confusion_matrix(predicted, actual, 1), Catch::Contains("classes in [0, 1)"));
}

TEST_CASE("a small MLP learns, and equal seeds give equal bits") {
  const auto train = [](std::uint64_t seed) {
    Generator generator(seed);
    ModelSpec spec;
    spec.input = {1, 2, 2};
    spec.hidden = {16};
    spec.classes = 2;
    Classifier model(spec, generator);
    const Tensor x = random_normal({256, 1, 2, 2}, generator);
    // The class is the sign of a product: no linear model can learn it.
    std::vector<std::int64_t> labels;
    const auto values = x.to_vector<float>();
    for (std::size_t i = 0; i < 256; ++i) labels.push_back(values[4 * i] * values[4 * i + 1] > 0);
    const Tensor y = from_values(labels, {256});
    AdamW optimizer(model.parameters());
    for (int step = 0; step < 300; ++step) {
      model.zero_grad();
      cross_entropy(model.forward(Variable(x)), y).backward();
      optimizer.step(2e-2);
    }
    NoGrad no_grad;
    const Tensor scores = model.forward(Variable(x)).tensor();
    CHECK(accuracy(confusion_matrix(predicted_classes(scores), y, 2)) > 0.95);
    return scores.to_vector<float>();
  };
  CHECK(train(5) == train(5));
}

TEST_CASE("a classifier survives its file") {
  const auto path = std::filesystem::temp_directory_path() / "athanor_training_test.safetensors";
  Generator generator(1);
  ModelSpec spec;
  spec.model = "cnn";
  spec.input = {1, 8, 8};
  spec.classes = 3;
  spec.class_names = {"a", "b", "c"};
  Classifier model(spec, generator);
  const Variable x(random_normal({5, 1, 8, 8}, generator));
  model.forward(x);  // moves the running statistics
  model.eval();
  save_classifier(path, model);
  const auto loaded = load_classifier(path);
  CHECK(loaded->spec().class_names == spec.class_names);
  CHECK(loaded->parameter_count() == model.parameter_count());
  CHECK(loaded->forward(x).tensor().to_vector<float>() ==
        model.forward(x).tensor().to_vector<float>());
  std::filesystem::remove(path);
  StateDict state = model.state_dict();
  state.erase("head.bias");
  state.emplace("extra", zeros({1}));
  CHECK_THROWS_WITH(model.load_state_dict(state),
                    Catch::Contains("missing: head.bias") && Catch::Contains("unexpected: extra"));
  spec.model = "transformer";
  CHECK_THROWS_WITH(Classifier(spec, generator), Catch::Contains("expected mlp, cnn, resnetN"));
}
