// Schedules, metrics, optimiser groups and state, early stopping, averages and the trainer.
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>

#include "autograd/ops.h"
#include "nn/clip.h"
#include "nn/layers.h"
#include "nn/metrics.h"
#include "nn/trainer.h"

using namespace athanor;
using namespace athanor::nn;

namespace {

using Values = std::vector<float>;

Schedule schedule(ScheduleKind kind, std::int64_t total) {
  Schedule s;
  s.kind = kind;
  s.peak = 1;
  s.total = total;
  return s;
}

// Two layers with dropout between them.
std::shared_ptr<Sequential> small_network(Generator& g) {
  return std::make_shared<Sequential>(std::vector<std::shared_ptr<Module>>{
      std::make_shared<Linear>(3, 8, g), relu_layer(), std::make_shared<Dropout>(0.3, g),
      std::make_shared<Linear>(8, 2, g)});
}

std::vector<Values> values_of(const Module& module) {
  std::vector<Values> all;
  for (const Variable& p : module.parameters()) all.push_back(p.tensor().to_vector<float>());
  return all;
}

// A batch that depends on the step alone.
Variable loss_at(Module& module, std::int64_t step) {
  Generator data = Generator(7).fork(static_cast<std::uint64_t>(step));
  const Tensor x = random_normal({16, 3}, data);
  const Tensor y = cast(greater(select(x, 1, 0), scalar(0)), DType::i64);
  return cross_entropy(module.forward(Variable(x)), y);
}

}  // namespace

TEST_CASE("schedules have the rates of their definitions") {
  Schedule s = schedule(ScheduleKind::warm_stable_decay, 100);
  s.warmup = 0.1;
  CHECK(s.rate(0) == Approx(0.1));
  CHECK(s.rate(9) == Approx(1.0));
  CHECK(s.rate(79) == Approx(1.0));
  CHECK(s.rate(90) == Approx(0.5));
  CHECK(s.rate(99) == Approx(0.05));
  s = schedule(ScheduleKind::step, 90);
  s.step_fraction = 1.0 / 3;
  CHECK(s.rate(29) == Approx(1.0));
  CHECK(s.rate(31) == Approx(0.1));
  CHECK(s.rate(89) == Approx(0.01));
  s = schedule(ScheduleKind::cosine, 100);
  s.floor = 0.2;
  CHECK(s.rate(0) == Approx(1.0));
  CHECK(s.rate(50) == Approx(0.6));
  s = schedule(ScheduleKind::linear, 100);
  s.warmup = 0.5;
  CHECK(s.rate(24) == Approx(0.5));
  CHECK(s.rate(75) == Approx(0.5));
  for (const char* name :
       {"constant", "linear", "cosine", "one_cycle", "step", "warm_stable_decay"}) {
    CHECK(std::string(name_of(schedule_from_name(name))) == name);
  }
}

TEST_CASE("a plateau lowers the rate after its patience") {
  Plateau::Options options;
  options.patience = 1;
  options.factor = 0.5;
  Plateau plateau(options);
  CHECK(plateau.observe(1.0) == 1);
  CHECK(plateau.observe(0.9) == 1);
  CHECK(plateau.observe(0.95) == 1);
  CHECK(plateau.observe(0.95) == 0.5);
  CHECK(plateau.observe(0.95) == 0.5);
  CHECK(plateau.observe(0.95) == 0.25);
  CHECK(plateau.observe(0.1) == 0.25);
}

TEST_CASE("metrics of classes and ranks by hand") {
  // rows: actual
  const ConfusionMatrix counts{{4, 1, 0}, {2, 3, 0}, {0, 1, 2}};
  CHECK(micro_f1(counts) == Approx(accuracy(counts)));
  CHECK(micro_f1(counts, {1, 2}) == Approx(2.0 * 5 / (5 + 5 + 3 + 2)));
  const ConfusionMatrix two{{6, 2}, {1, 3}};
  CHECK(matthews_correlation(two) == Approx((3 * 6 - 2 * 1) / std::sqrt(5.0 * 4 * 8 * 7)));
  CHECK(matthews_correlation({{3, 0}, {2, 0}}) == 0);
  const Tensor a = from_values<double>({1, 2, 3, 4}, {4});
  CHECK(pearson(a, mul(a, -2)) == Approx(-1));
  // Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4.
  CHECK(spearman(from_values<double>({1, 5, 5, 9}, {4}), a) == Approx(4.5 / std::sqrt(4.5 * 5)));
  CHECK(std::isnan(pearson(ones({3}), from_values<float>({1, 2, 3}, {3}))));
  // Of the 4 pairs, 2 are right and one is a tie.
  CHECK(auroc(from_values<float>({0.1f, 0.5f, 0.5f, 0.3f}, {4}),
              from_values<std::int64_t>({0, 0, 1, 1}, {4})) == Approx(2.5 / 4));
  CHECK_THROWS_WITH(auroc(ones({2}), zeros({2}, DType::i64)), Catch::Contains("both classes"));
  CHECK(exact_match({"a", "b"}, {"a", "c"}) == 0.5);
  CHECK(perplexity(std::log(8.0)) == Approx(8));
}

TEST_CASE("groups have rates and decay of their own") {
  Variable a(ones({2, 2}), true), b(ones({2}), true);
  std::vector<ParameterGroup> groups(2);
  groups[0].parameters = {a};
  groups[1].parameters = {b};
  groups[1].rate_scale = 0.5;
  groups[1].weight_decay = 0;
  Sgd optimizer(groups, {.momentum = 0, .weight_decay = 1});
  a.set_grad(Variable(zeros({2, 2})));
  b.set_grad(Variable(ones({2})));
  optimizer.step(0.1);
  CHECK(a.tensor().to_vector<float>() == Values(4, 0.9f));
  CHECK(b.tensor().to_vector<float>() == Values(2, 0.95f));
  CHECK_THROWS_WITH(Sgd(std::vector<Variable>{a, a}), Catch::Contains("each parameter once"));
  Generator g(1);
  const auto by_rank = decay_matrices_only(Linear(3, 2, g));
  CHECK(by_rank[0].parameters.size() == 1);
  CHECK(by_rank[1].weight_decay == 0.0);
}

TEST_CASE("clipping by value") {
  Variable p(zeros({3}), true);
  p.set_grad(Variable(from_values<float>({-5, 0.5, 5}, {3})));
  std::vector<Variable> parameters{p};
  clip_gradient_value(parameters, 1);
  CHECK(p.grad().tensor().to_vector<float>() == Values{-1, 0.5, 1});
}

TEST_CASE("Muon's matrices have singular values about 1") {
  Generator g(2);
  const Tensor x = newton_schulz(random_normal({6, 4}, g, 0, 1, DType::f64));
  CHECK(x.shape() == Shape{6, 4});
  const Tensor gram = matmul(transpose(x), x);  // eigenvalues in [0.7^2, 1.2^2]
  for (std::int64_t i = 0; i < 4; ++i) {
    const double value = select(select(gram, 0, i), 0, i).item();
    CHECK(value > 0.4);
    CHECK(value < 1.6);
  }
}

TEST_CASE("early stopping keeps the best state; an average forgets its start") {
  Generator g(3);
  Linear layer(2, 2, g);
  EarlyStopping stopping({.patience = 2, .threshold = 0, .maximize = true});
  CHECK_THROWS_WITH(stopping.restore(layer), Catch::Contains("a reading"));
  const auto start = values_of(layer);
  CHECK(stopping.observe(0.5, layer));
  layer.parameters()[0].set_value(zeros({2, 2}));
  CHECK_FALSE(stopping.observe(0.5, layer));
  CHECK_FALSE(stopping.should_stop());
  CHECK_FALSE(stopping.observe(NAN, layer));
  CHECK(stopping.should_stop());
  stopping.restore(layer);
  CHECK(values_of(layer) == start);

  Linear other(1, 1, g, false);
  other.parameters()[0].set_value(zeros({1, 1}));
  ParameterAverage average(other, 0.9);
  other.parameters()[0].set_value(ones({1, 1}));
  double expected = 0;
  for (int t = 1; t <= 30; ++t) {
    average.update(other);
    const double decay = std::min(0.9, (1.0 + t) / (10.0 + t));
    expected = decay * expected + 1 - decay;
  }
  CHECK(average.state().at("weight").item() == Approx(expected));
}

TEST_CASE("accumulated parts give the gradient of the whole batch") {
  Generator g(4);
  Linear layer(3, 2, g);
  const Tensor x = random_normal({8, 3}, g), y = zeros({8}, DType::i64);
  const auto run = [&](std::int64_t parts) {
    layer.load_state_dict({{"weight", ones({2, 3})}, {"bias", zeros({2})}});
    Sgd optimizer(layer.parameters());
    TrainerOptions options;
    options.schedule = schedule(ScheduleKind::constant, 1);
    options.accumulate = parts;
    Trainer trainer(layer, optimizer, options);
    trainer.run([&](std::int64_t, std::int64_t part) {
      const std::int64_t size = 8 / parts;
      const Tensor rows = slice(x, 0, part * size, (part + 1) * size);
      return cross_entropy(layer.forward(Variable(rows)), slice(y, 0, 0, size));
    });
    return layer.parameters()[0].tensor();
  };
  // Roundings of f32.
  CHECK(amax(abs(sub(run(1), run(4)))).item() <= 1e-6);
}

TEST_CASE("a resumed training makes the same bits") {
  const auto path =
      std::filesystem::temp_directory_path() / "athanor_training_kit_test.safetensors";
  TrainerOptions options;
  options.schedule = schedule(ScheduleKind::one_cycle, 30);
  options.schedule.peak = 0.05;
  options.clip_norm = 0.5;
  options.average = 0.9;
  options.evaluate_every = 4;
  options.early_stopping = EarlyStopping::Options{100, 0, false};
  const auto make = [](Module& m, int kind) -> std::unique_ptr<Optimizer> {
    if (kind == 0) return std::make_unique<AdamW>(m.parameters());
    if (kind == 1) return std::make_unique<Sgd>(m.parameters(), SgdOptions{0.9, 0.01, true});
    if (kind == 2) return std::make_unique<Lamb>(m.parameters());
    if (kind == 3) return std::make_unique<Lion>(m.parameters());
    return std::make_unique<Muon>(m.parameters());
  };
  for (int kind = 0; kind < 5; ++kind) {
    const auto train = [&](std::int64_t save_at, bool load) {
      Generator g(load ? 99 : 5);  // a resumed run starts from other weights
      const auto network = small_network(g);
      const auto optimizer = make(*network, kind);
      Trainer trainer(*network, *optimizer, options);
      if (load) trainer.load(path);
      trainer.run([&](std::int64_t step, std::int64_t) { return loss_at(*network, step); },
                  [&] { return loss_at(*network, 1000).item(); },
                  [&](const TrainerStep& step) {
                    if (step.step + 1 == save_at) trainer.save(path);
                    return step.step + 1 != save_at;
                  });
      return std::pair(values_of(*network), trainer.best());
    };
    const auto whole = train(-1, false);
    train(13, false);
    CHECK(train(-1, true) == whole);
  }
  Generator g(6);
  const auto network = small_network(g);
  Sgd plain(network->parameters());
  CHECK_THROWS_WITH(Trainer(*network, plain, options).load(path),
                    Catch::Contains("optimizer state"));
  TrainerOptions other = options;
  other.average = 0;
  CHECK_THROWS_WITH(Trainer(*network, plain, other).load(path), Catch::Contains("same average"));
  std::filesystem::remove(path);
}

TEST_CASE("a training without finite gradients ends") {
  Generator g(7);
  Linear layer(1, 1, g);
  Sgd optimizer(layer.parameters());
  TrainerOptions options;
  options.schedule = schedule(ScheduleKind::constant, 100);
  options.max_skipped = 3;
  Trainer trainer(layer, optimizer, options);
  const auto before = values_of(layer);
  const auto nan = [&](std::int64_t, std::int64_t) {
    return sum(layer.forward(Variable(full({1, 1}, NAN))));
  };
  CHECK_THROWS_WITH(trainer.run(nan), Catch::Contains("3 steps in a row"));
  CHECK(values_of(layer) == before);
}
