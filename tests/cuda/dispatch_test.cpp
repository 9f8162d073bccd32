// Tensors, gradients and training on a device, with the reference kernels in its place: what stands
// around the kernels.
#include <catch2/catch.hpp>
#include <sstream>

#include "autograd/ops.h"
#include "autograd/ops/device.h"
#include "nn/optim.h"
#include "tensor/devices.h"
#include "tensor/ops.h"
#include "tensor/ops/device.h"
#include "tests/cuda/test_device.h"

namespace athanor::test {
namespace {

using Catch::Contains;

constexpr Device kCuda{DeviceType::cuda, 0};

Tensor values(const Shape& shape, std::uint64_t seed = 1) {
  Generator generator(seed);
  return random_uniform(shape, generator, -1, 1);
}

TEST_CASE("a device that is absent is an error that says why") {
  const DeviceBackend* own = cuda_backend();
  if (!own || own->count() == 0) {
    const char* reason = own ? "is absent: " : "is not part of this build";
    CHECK_THROWS_WITH(to(ones({2}), kCuda), Contains("device cuda:0") && Contains(reason));
    CHECK_THROWS_WITH(zeros({2}, DType::f32, kCuda), Contains(reason));
  }
  const TestDevice two(completed_by_reference({}), 2);
  CHECK_THROWS_WITH(to(ones({2}), {DeviceType::cuda, 2}),
                    Contains("device cuda:2 is absent: expected cuda:0 to cuda:1"));
  CHECK(to(ones({2}), {DeviceType::cuda, 1}).device() == Device{DeviceType::cuda, 1});
}

TEST_CASE("values go to a device and back") {
  const TestDevice device(completed_by_reference({}), 2);
  const Tensor x = values({3, 4, 5});
  const Tensor y = to(x, kCuda);
  CHECK(y.device() == kCuda);
  CHECK(to(y, kCuda).storage().get() == y.storage().get());
  CHECK(to(y, Device{}).to_vector<float>() == x.to_vector<float>());
  CHECK(to(to(y, {DeviceType::cuda, 1}), Device{}).to_vector<float>() == x.to_vector<float>());
  // Views: with gaps, in another order, without elements, of one element.
  for (const Tensor& view : {slice(x, 2, 1, 5, 2), permute(x, {2, 0, 1}), slice(x, 0, 0, 0)}) {
    CHECK(to(view, kCuda).to_vector<float>() == view.to_vector<float>());
  }
  CHECK(slice(y, 2, 1, 5, 2).to_vector<float>() == slice(x, 2, 1, 5, 2).to_vector<float>());
  CHECK(select(select(select(y, 0, 2), 0, 3), 0, 4).item() == x.to_vector<float>()[59]);
  std::ostringstream there, here;
  there << y;
  here << x;
  CHECK(there.str() == here.str());
  // Channels-last order survives.
  const Tensor image = channels_last(values({2, 3, 4, 4}));
  CHECK(to(image, kCuda).is_channels_last());
  CHECK(to(to(image, kCuda), Device{}).to_vector<float>() == image.to_vector<float>());
  Tensor target = zeros({3, 4, 5}, DType::f32, kCuda);
  copy_(target, x);
  CHECK(target.to_vector<float>() == x.to_vector<float>());
}

TEST_CASE("tensors of constants and random numbers are made on the device") {
  const TestDevice device(completed_by_reference({}));
  CHECK(full({2, 3}, 7, DType::i32, kCuda).to_vector<std::int32_t>() ==
        std::vector<std::int32_t>(6, 7));
  CHECK(arange(4, DType::i64, 1, 2, kCuda).to_vector<std::int64_t>() ==
        std::vector<std::int64_t>{1, 3, 5, 7});
  Generator here(5), there(5);
  CHECK(random_uniform({7}, there, -1, 1, DType::f32, kCuda).to_vector<float>() ==
        random_uniform({7}, here, -1, 1).to_vector<float>());
  CHECK(random_bernoulli({9}, there, 0.3, kCuda).to_vector<bool>() ==
        random_bernoulli({9}, here, 0.3).to_vector<bool>());
  CHECK(random_normal({3}, there, 0, 1, DType::f32, kCuda).to_vector<float>() ==
        random_normal({3}, here).to_vector<float>());
  CHECK(there.position() == here.position());
}

TEST_CASE("operands on two devices are an error that names both") {
  const TestDevice device(completed_by_reference({}));
  const Tensor here = ones({2, 2}), there = to(here, kCuda);
  CHECK_THROWS_WITH(add(here, there), Contains("cpu") && Contains("cuda:0"));
  CHECK_THROWS_WITH(matmul(there, here), Contains("cpu") && Contains("cuda:0"));
  CHECK_THROWS_WITH(where(greater(there, there), here, here),
                    Contains("cpu") && Contains("cuda:0"));
  CHECK_THROWS_WITH(cat(std::vector<Tensor>{here, there}, 0),
                    Contains("cpu") && Contains("cuda:0"));
  CHECK_THROWS_WITH(linear(there, there, ones({2})), Contains("cpu") && Contains("cuda:0"));
  CHECK_THROWS_WITH(index_select(there, 0, arange(2)), Contains("cpu") && Contains("cuda:0"));
  CHECK_THROWS_WITH(conv2d(to(ones({1, 1, 2, 2}), kCuda), ones({1, 1, 1, 1})),
                    Contains("cpu") && Contains("cuda:0"));
}

TEST_CASE("a kernel that the device has not is an error that names op, dtype and device") {
  Kernels few;
  few.fill = reference_kernels().fill;
  const TestDevice device(few);
  const Tensor x = ones({2}, DType::f16, kCuda);
  CHECK_THROWS_WITH(add(x, x), Contains("[add]") && Contains("f16") && Contains("cuda:0"));
}

TEST_CASE("memory is counted by device, and running out names the device") {
  const TestDevice device(completed_by_reference({}));
  const std::int64_t before = memory_stats().live;
  {
    const Tensor x = empty({1024, 1024}, DType::f32, kCuda);
    CHECK(memory_stats(kCuda).live == 4 << 20);
    CHECK(memory_stats().live == before);
    set_memory_limit(std::int64_t{6} << 20, kCuda);
    CHECK_THROWS_WITH(empty({1024, 1024}, DType::f32, kCuda),
                      Contains("out of memory on cuda:0") && Contains("the limit is 6291456"));
    set_memory_limit(0, kCuda);
  }
  CHECK(memory_stats(kCuda).live == 0);
  empty_memory_cache(kCuda);
  CHECK(memory_stats(kCuda).cached == 0);
}

TEST_CASE("devices have names, counts and profiles") {
  const TestDevice device(completed_by_reference({}), 2);
  CHECK(device_count(DeviceType::cuda) == 2);
  CHECK(why_no_cuda().empty());
  CHECK(parse_device("cpu") == Device{});
  CHECK(parse_device("cuda") == kCuda);
  CHECK(parse_device("cuda:1") == Device{DeviceType::cuda, 1});
  for (const char* wrong : {"gpu", "cuda:", "cuda:x", "cuda:-1", "cuda1", ""}) {
    CHECK_THROWS_WITH(parse_device(wrong), Contains("expected cpu, cuda or cuda:N"));
  }
  CHECK_THROWS_WITH(parse_device("cuda:2"), Contains("is absent"));
  const Tensor x = to(ones({2}), kCuda);
  start_device_profile(kCuda);
  exp(mul(x, 2.0));
  const std::vector<DeviceSpan> spans = take_device_profile(kCuda);
  REQUIRE(spans.size() == 2);
  CHECK(spans[0].op == "mul");
  CHECK(spans[1].op == "exp");
}

TEST_CASE("gradients cross devices") {
  const TestDevice device(completed_by_reference({}));
  const Variable x(values({3, 2}), true);
  const Variable y = square(to(x, kCuda));
  sum(y).backward();
  CHECK(x.grad().device() == Device{});
  CHECK(x.grad().tensor().to_vector<float>() == mul(x.tensor(), 2.0).to_vector<float>());
}

// A few steps of a small network; returns its parameters' values, and how often the host waited.
std::vector<std::vector<float>> train(Device device, std::int64_t& waits) {
  std::vector<Variable> parameters;
  const std::vector<Shape> shapes{{5, 6}, {5}, {3, 5}, {3}};
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    parameters.emplace_back(to(values(shapes[i], i), device), true);
  }
  nn::AdamW optimizer(parameters);
  Generator generator(11);
  const Variable x(to(values({8, 6}), device));
  const Tensor classes = to(from_values<std::int64_t>({0, 1, 2, 0, 1, 2, 0, 1}, {8}), device);
  const DeviceBackend* backend = cuda_backend();
  const auto count = [&] { return backend ? backend->counters().synchronizations : 0; };
  const std::int64_t before = count();
  for (int step = 0; step < 3; ++step) {
    const Variable hidden = relu(linear(x, parameters[0], parameters[1]));
    const Variable kept = dropout(hidden, 0.2, generator, true);
    cross_entropy(linear(kept, parameters[2], parameters[3]), classes).backward();
    optimizer.step(0.01);
    for (Variable& p : parameters) p.zero_grad();
  }
  waits = count() - before;
  std::vector<std::vector<float>> result;
  for (const Variable& p : parameters) result.push_back(p.tensor().to_vector<float>());
  return result;
}

TEST_CASE("training on a device gives the CPU's bits and waits for nothing") {
  const UseReferenceKernels plain;
  std::int64_t waits = -1;
  const auto expected = train(Device{}, waits);
  const TestDevice device(completed_by_reference({}));
  CHECK(train(kCuda, waits) == expected);
  CHECK(waits == 0);
}

}  // namespace
}  // namespace athanor::test
