// When a captured step runs, records and replays; the graph itself is the test's.
#include "tensor/captured_step.h"

#include <catch2/catch.hpp>

#include "tensor/ops.h"
#include "tensor/ops/device.h"
#include "tests/cuda/test_device.h"

namespace athanor::test {
namespace {

using Catch::Contains;

constexpr Device kCuda{DeviceType::cuda, 0};

// y = 2 x; remembers its tensors, so that a "graph" can do the same to the same memory.
struct Doubling {
  Tensor x, y;
  CapturedStep::Step step() {
    return [this](const std::vector<Tensor>& inputs) {
      x = inputs[0];
      y = mul(x, 2.0);
      return std::vector<Tensor>{y};
    };
  }
  void replay() { copy_(y, mul(x, 2.0)); }
};

Tensor filled(double value, std::int64_t n = 3) { return full({n}, value, DType::f32, kCuda); }

TEST_CASE("a step is run, recorded, and replayed with new inputs") {
  TestDevice device(completed_by_reference({}));
  Doubling doubling;
  device.set_replay([&] { doubling.replay(); });
  CapturedStep step(doubling.step());
  for (int i = 1; i <= 5; ++i) {
    CHECK(step({filled(i)})[0].to_vector<float>() == std::vector<float>(3, 2.0f * float(i)));
  }
  CHECK(step.counters().captures == 1);
  CHECK(step.counters().runs == 3);  // two to warm up, one recorded
  CHECK(step.counters().replays == 3);
}

TEST_CASE("every set of shapes has its graph, and the oldest goes first") {
  TestDevice device(completed_by_reference({}));
  Doubling doubling;
  CapturedStep step(doubling.step(), {.warm_up = 1, .most_graphs = 2});
  const auto twice = [&](std::int64_t n) {
    for (int i = 0; i < 2; ++i) step({filled(1, n)});
  };
  twice(3);
  twice(4);
  step({filled(1, 3)});  // 3 is now the more recent one
  CHECK(step.counters().captures == 2);
  twice(5);
  CHECK(device.destroyed_graphs() == 1);  // 4
  step({filled(1, 3)});
  CHECK(step.counters().captures == 3);
  twice(4);
  CHECK(step.counters().captures == 4);
}

TEST_CASE("verification finds a step that depends on more than its inputs") {
  TestDevice device(completed_by_reference({}));
  double hidden = 1;
  Tensor x, y;
  CapturedStep step(
      [&](const std::vector<Tensor>& inputs) {
        x = inputs[0];
        y = mul(x, hidden);
        return std::vector<Tensor>{y};
      },
      {.warm_up = 1, .verify = true});
  device.set_replay([graph_x = &x, graph_y = &y] { copy_(*graph_y, mul(*graph_x, 1.0)); });
  step({filled(1)});
  step({filled(2)});
  hidden = 3;
  CHECK_THROWS_WITH(step({filled(2)}), Contains("result 0 differs"));
}

TEST_CASE("what a replay could not repeat is an error, and the step works afterwards") {
  TestDevice device(completed_by_reference({}));
  bool draw = true;
  Generator generator(1);
  CapturedStep step(
      [&](const std::vector<Tensor>& inputs) {
        if (draw) random_uniform({2}, generator, 0, 1, DType::f32, kCuda);
        return std::vector<Tensor>{inputs[0]};
      },
      {.warm_up = 1});
  step({filled(1)});
  CHECK_THROWS_WITH(step({filled(1)}), Contains("outside of a captured step"));
  draw = false;
  device.set_replay([] {});
  step({filled(1)});
  CHECK(step.counters().captures == 1);
}

TEST_CASE("on the CPU every call runs the step") {
  CapturedStep step(
      [](const std::vector<Tensor>& x) { return std::vector<Tensor>{mul(x[0], 2.0)}; });
  for (int i = 0; i < 4; ++i) CHECK(step({ones({2})})[0].to_vector<float>()[0] == 2);
  CHECK(step.counters().runs == 4);
  CHECK(step.counters().captures == 0);
}

}  // namespace
}  // namespace athanor::test
