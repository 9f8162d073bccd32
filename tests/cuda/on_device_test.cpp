// What the op cases do not show, on the device of the parity test: random numbers, late index
// errors, training without waits, and on a GPU graphs, profiles and memory.
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "autograd/autocast.h"
#include "autograd/ops.h"
#include "autograd/ops/device.h"
#include "nn/optim.h"
#include "tensor/captured_step.h"
#include "tensor/devices.h"
#include "tensor/ops.h"
#include "tensor/ops/device.h"

namespace athanor::test {
namespace {

using Catch::Contains;

constexpr Device kCuda{DeviceType::cuda, 0};

Tensor values(const Shape& shape, std::uint64_t seed = 1) {
  Generator generator(seed);
  return random_uniform(shape, generator, -1, 1);
}

// Steps between two values, in units of the last place.
std::int64_t ulps(float a, float b) {
  const auto ordered = [](float v) {
    const auto bits = std::bit_cast<std::int32_t>(v);
    return static_cast<std::int64_t>(bits < 0 ? std::numeric_limits<std::int32_t>::min() - bits
                                              : bits);
  };
  return std::abs(ordered(a) - ordered(b));
}

TEST_CASE("random streams: integers and uniforms bit by bit, normals within 2 ULP") {
  for (std::uint64_t position : {0u, 1u, 6u}) {
    Generator here(7, 3), there(7, 3);
    here.set_position(position);
    there.set_position(position);
    for (DType dtype : {DType::f32, DType::f64, DType::f16, DType::bf16}) {
      INFO("dtype " << name_of(dtype) << " from position " << position);
      const Tensor a = random_uniform({1001}, here, -3, 5, dtype);
      const Tensor b = random_uniform({1001}, there, -3, 5, dtype, kCuda);
      CHECK(cast(a, DType::f64).to_vector<double>() ==
            cast(to(b, Device{}), DType::f64).to_vector<double>());
      CHECK(here.position() == there.position());
    }
    CHECK(random_bernoulli({999}, here, 0.3).to_vector<bool>() ==
          random_bernoulli({999}, there, 0.3, kCuda).to_vector<bool>());
    const auto a = random_normal({1000}, here, 0, 1).to_vector<float>();
    const auto b = random_normal({1000}, there, 0, 1, DType::f32, kCuda).to_vector<float>();
    std::int64_t worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, ulps(a[i], b[i]));
    CHECK(worst <= 2);
  }
}

#if defined(ATHANOR_CUDA) || defined(ATHANOR_CUDA_EMULATED)

TEST_CASE("an index out of range is reported at the next copy to the host, once") {
  const Tensor x = to(values({4, 3}), kCuda);
  const Tensor bad = to(from_values<std::int64_t>({0, 9}, {2}), kCuda);
  const Tensor y = index_select(x, 0, bad);
  CHECK_THROWS_WITH(y.to_vector<float>(), Contains("index out of range"));
  CHECK(y.to_vector<float>().size() == 6);
  CHECK_THROWS_WITH(cross_entropy_by_row(Variable(to(values({2, 3}), kCuda)), bad).item(),
                    Contains("expected one element"));
  CHECK_THROWS_WITH(
      cross_entropy_by_row(Variable(to(values({2, 3}), kCuda)), bad).tensor().to_vector<float>(),
      Contains("index out of range"));
}

#endif

// Loss after `steps` of a two-layer network, and the waits on the way.
double train(Device device, DType low, int steps, std::int64_t& waits) {
  std::vector<Variable> p;
  for (const Shape& shape : {Shape{32, 12}, Shape{32}, Shape{4, 32}, Shape{4}}) {
    p.emplace_back(to(mul(values(shape, p.size() + 1), 0.4), device), true);
  }
  nn::AdamW optimizer(p);
  Generator generator(3);
  const Tensor x = to(values({64, 12}, 9), device);
  const Tensor labels = argmax(slice(x, 1, 0, 4), 1);
  Variable loss;
  const std::int64_t before = device_counters().synchronizations;
  for (int i = 0; i < steps; ++i) {
    {
      const Autocast scope(low);
      const Variable h = dropout(gelu(linear(Variable(x), p[0], p[1])), 0.1, generator, true);
      loss = cross_entropy(linear(h, p[2], p[3]), labels);
    }
    loss.backward();
    optimizer.step(0.01);
    for (Variable& v : p) v.zero_grad();
  }
  waits = device_counters().synchronizations - before;
  return loss.item();
}

TEST_CASE("training follows the CPU and waits for nothing") {
  std::int64_t waits = 0;
  const double expected = train(Device{}, DType::f32, 20, waits);
  CHECK(train(kCuda, DType::f32, 20, waits) == Approx(expected).epsilon(2e-3));
  CHECK(waits == 0);
  CHECK(train(kCuda, DType::bf16, 20, waits) == Approx(expected).margin(0.05));
  CHECK(waits == 0);
  // The same bits twice.
  CHECK(train(kCuda, DType::f32, 5, waits) == train(kCuda, DType::f32, 5, waits));
}

#ifdef ATHANOR_CUDA

TEST_CASE("a captured step replays what the step does") {
  const Variable w(to(values({5, 8}), kCuda), true);
  CapturedStep step(
      [&](const std::vector<Tensor>& in) {
        const Variable loss = cross_entropy(matmul(Variable(in[0]), transpose(w)), in[1]);
        return std::vector<Tensor>{loss.tensor(), grad({loss}, {w})[0].tensor()};
      },
      {.verify = true});
  for (std::uint64_t i = 0; i < 6; ++i) {
    const Tensor x = to(values({16, 8}, i), kCuda);
    const auto results = step({x, argmax(slice(x, 1, 0, 5), 1)});
    CHECK(std::isfinite(results[0].item()));
  }
  CHECK(step.counters().captures == 1);
  CHECK(step.counters().replays == 4);
}

TEST_CASE("operations have times") {
  const Tensor x = to(values({1024, 1024}), kCuda);
  start_device_profile(kCuda);
  softmax(matmul(x, x));
  const auto spans = take_device_profile(kCuda);
  REQUIRE(spans.size() == 2);
  CHECK(spans[0].op == "matmul");
  CHECK(spans[1].op == "softmax");
  CHECK(spans[0].duration > 0);
  CHECK(spans[1].begin >= spans[0].begin + spans[0].duration - 1);
}

TEST_CASE("more memory than the device has is an error, after which it works on") {
  CHECK_THROWS_WITH(empty({std::int64_t{1} << 42}, DType::f32, kCuda),
                    Contains("out of memory on cuda:0"));
  CHECK(sum(ones({8}, DType::f32, kCuda)).item() == 8);
}

TEST_CASE("f32 products keep f32 unless TF32 is asked for") {
  // 1 + 2^-12 needs more bits than TF32 has.
  const Tensor x = to(full({64, 64}, 1 + 1.0 / 4096), kCuda), one = eye(64);
  const Tensor exact = matmul(x, to(one, kCuda));
  CHECK(exact.to_vector<float>()[0] == 1 + 1.0f / 4096);
}

#endif

}  // namespace
}  // namespace athanor::test
