// The tape as a whole: depth, memory, and what backward refuses.
#include <pthread.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "autograd/node.h"
#include "autograd/ops.h"

using namespace athanor;
using Catch::Contains;

namespace {

// Runs f on a thread whose stack has 256 KB, and rethrows what it throws.
void on_small_stack(std::function<void()> f) {
  struct Call {
    std::function<void()> f;
    std::exception_ptr error;
  } call{std::move(f), nullptr};
  pthread_attr_t attributes;
  REQUIRE(pthread_attr_init(&attributes) == 0);
  REQUIRE(pthread_attr_setstacksize(&attributes, 256 * 1024) == 0);
  pthread_t thread;
  const auto body = [](void* argument) -> void* {
    Call& call = *static_cast<Call*>(argument);
    try {
      call.f();
    } catch (...) {
      call.error = std::current_exception();
    }
    return nullptr;
  };
  REQUIRE(pthread_create(&thread, &attributes, body, &call) == 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  if (call.error) std::rethrow_exception(call.error);
}

constexpr int kMillion = 1'000'000;

Variable chain(const Variable& x, int length) {
  Variable y = x;
  for (int i = 0; i < length; ++i) y = add(y, 1.0);
  return y;
}

// Pages of this process in memory, in bytes.
std::int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::int64_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * 4096;
}

}  // namespace

TEST_CASE("a million operations are built, run and dropped under a 256 KB stack") {
  double value = 0, gradient = 0;
  on_small_stack([&] {
    const Variable x(scalar(2), true);
    const Variable y = chain(x, kMillion);
    value = y.item();
    y.backward();
    gradient = x.grad().item();
  });
  CHECK(value == kMillion + 2);
  CHECK(gradient == 1);
}

TEST_CASE("a million operations without backward are dropped under a 256 KB stack") {
  const std::int64_t before = memory_stats().live;
  on_small_stack([] { chain(Variable(scalar(2), true), kMillion); });
  CHECK(memory_stats().live == before);
}

TEST_CASE(
    "operations that save inputs and outputs, and their gradients, are released iteratively") {
  const std::int64_t before = memory_stats().live;
  on_small_stack([] {
    const Variable x(scalar(1), true);
    Variable y = x;
    for (int i = 0; i < kMillion / 10; ++i) y = sigmoid(y * x);
    const auto g = grad({y}, {x}, true);
    REQUIRE(g[0].defined());
  });
  CHECK(memory_stats().live == before);
}

TEST_CASE("thirty doublings of one node have one gradient of 2^30") {
  const Variable x(scalar(1, DType::f64), true);
  Variable y = x;
  for (int i = 0; i < 30; ++i) y = y + y;
  y.backward();
  CHECK(x.grad().item() == 1073741824.0);
}

TEST_CASE("ten thousand steps that keep loss.item() hold memory flat") {
  Generator generator(1);
  Variable w(random_normal({8, 4}, generator), true);
  const Variable x(random_normal({16, 8}, generator));
  std::vector<double> losses;
  losses.reserve(10'000);
  std::int64_t live = 0;
  [[maybe_unused]] std::int64_t resident = 0;
  for (int step = 0; step < 10'000; ++step) {
    const Variable loss = mean(square(tanh(matmul(x, w))));
    losses.push_back(loss.item());
    w.zero_grad();
    loss.backward();
    Tensor value = w.tensor();
    add_(value, mul(w.grad().tensor(), -0.1));
    if (step == 500) {
      live = memory_stats().live;
      resident = resident_bytes();
    }
    if (step == 9'999) CHECK(memory_stats().live == live);
  }
  CHECK(losses.back() < losses.front());
#ifndef __SANITIZE_ADDRESS__  // which keeps freed memory for a while
  CHECK(resident_bytes() - resident < 1 << 20);
#endif
}

TEST_CASE("backward frees what was saved, unless retained") {
  const Variable x(scalar(3), true);
  const Variable y = square(x);
  y.backward({}, true);
  y.backward();
  CHECK(x.grad().item() == 12);  // gradients add up
  CHECK_THROWS_WITH(y.backward(),
                    Contains("square whose saved tensors are freed") && Contains("retain_graph"));
  // A graph for gradients of gradients is kept as well.
  const Variable z = square(x);
  grad({z}, {x}, true);
  CHECK_NOTHROW(z.backward());
}

TEST_CASE("a part of the graph that two results share is freed by the first backward") {
  const Variable x(scalar(3), true);
  const Variable shared = exp(x);
  const Variable a = shared * 2.0, b = shared * 3.0;
  a.backward();
  CHECK_THROWS_WITH(b.backward(), Contains("exp whose saved tensors are freed"));
}

TEST_CASE("saved tensors are freed while backward goes on") {
  Generator generator(1);
  const Variable x(random_normal({1 << 16}, generator), true);
  const std::int64_t one = 4 << 16;
  Variable y = x;
  for (int i = 0; i < 20; ++i) y = exp(mul(y, 0.1));
  const Variable loss = sum(y);
  y = {};
  reset_peak_memory();
  const std::int64_t before = memory_stats().live;
  loss.backward();
  // The chain held 20 results; what backward adds is a few gradients.
  CHECK(memory_stats().peak - before <= 5 * one);
  CHECK(memory_stats().live <= before - 18 * one);
}

TEST_CASE("backward through an operation without a gradient names it") {
  const Variable x(ones({2, 3}), true);
  const Variable y = record_without_gradient("bit_trick", neg(x.tensor()), {x});
  CHECK(y.requires_grad());
  CHECK_THROWS_WITH(sum(y * y).backward(),
                    Contains("bit_trick has no gradient") && Contains("[2, 3] f32"));
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("a tensor written in place after it was saved is an error that names both operations") {
  const Variable a(ones({2}), true), b(ones({2}), true);
  const Variable y = a * b;
  Tensor value = b.tensor();
  fill_(value, 5);
  CHECK_THROWS_WITH(y.backward(Variable(ones({2}))), Contains("saved by mul") &&
                                                         Contains("changed in place by fill_") &&
                                                         Contains("version 1, expected 0"));
  // A view shares the version of what it views.
  const Variable c(ones({2, 2}), true);
  const Variable z = exp(c);
  Tensor row = select(z.tensor(), 0, 0);
  mul_(row, 2.0);
  CHECK_THROWS_WITH(z.backward(Variable(ones({2, 2}))),
                    Contains("saved by exp") && Contains("changed in place by mul_"));
}

TEST_CASE("what backward and grad refuse") {
  const Variable x(ones({3}), true), constant(ones({3}));
  CHECK_THROWS_WITH(constant.backward(), Contains("expected an output that requires a gradient"));
  CHECK_THROWS_WITH((x * 2.0).backward(), Contains("expected a gradient for an output with 3"));
  CHECK_THROWS_WITH((x * 2.0).backward(Variable(ones({4}))), Contains("got [4] f32"));
  CHECK_THROWS_WITH(grad({sum(x)}, {constant}), Contains("inputs that require a gradient"));
  const Variable other(ones({3}), true);
  CHECK_THROWS_WITH(grad({sum(x)}, {other}), Contains("no output depends on input 0"));
  CHECK_FALSE(grad({sum(x)}, {other}, false, false, true)[0].defined());
  CHECK_THROWS_WITH(Variable(arange(3), true),
                    Contains("expected a floating dtype for requires_grad, got [3] i64"));
}

TEST_CASE("a gradient has the dtype of its input") {
  const Variable a(ones({2}, DType::f32), true);
  const Variable b(full({2, 2}, 3, DType::f64), true);
  const auto g = grad({sum(a * b)}, {a, b});
  CHECK(g[0].dtype() == DType::f32);
  CHECK(g[0].tensor().to_vector<float>() == std::vector<float>{6, 6});
  CHECK(g[1].dtype() == DType::f64);
}

TEST_CASE("nothing is recorded in NoGrad, and inference mode cannot be left from inside") {
  const Variable x(scalar(2), true);
  {
    const NoGrad no_grad;
    CHECK_FALSE((x * x).requires_grad());
    const GradMode again(true);
    CHECK((x * x).requires_grad());
  }
  const Variable loss = x * x;
  Variable made_inside;
  {
    const InferenceMode inference;
    const GradMode ignored(true);
    CHECK_FALSE(grad_enabled());
    made_inside = x * x;
    CHECK_FALSE(made_inside.requires_grad());
    CHECK_THROWS_WITH(loss.backward(), Contains("outside of InferenceMode"));
    CHECK_THROWS_WITH(grad({loss}, {x}), Contains("outside of InferenceMode"));
  }
  CHECK(grad_enabled());
  CHECK(grad({x * made_inside}, {x})[0].item() == 4);
}

TEST_CASE("hooks see and replace gradients, of leaves and of results") {
  const Variable x(scalar(2), true);
  const Variable y = x * x;
  double seen = 0;
  y.register_hook([&](const Variable& g) {
    seen = g.item();
    return g * 10.0;
  });
  x.register_hook([](const Variable& g) { return g + 1.0; });
  (y * 3.0).backward();
  CHECK(seen == 3);
  CHECK(x.grad().item() == 3 * 10 * 4 + 1);
}

TEST_CASE("a temporary's memory takes the next result, unless the tape needs it") {
  const Variable x(ones({1000}), true);
  const auto allocations = [](auto f) {
    const std::int64_t before = memory_stats().allocations;
    f();
    return memory_stats().allocations - before;
  };
  // exp's rule needs its result, so relu may not write there; the sum may write into relu's only if
  // relu's rule did not keep it, and it does.
  CHECK(allocations([&] { relu(exp(x)); }) == 2);
  CHECK(allocations([&] { relu(exp(x)) + 1.0; }) == 3);
  // Products with numbers and sums keep nothing.
  CHECK(allocations([&] { relu(x * 2.0 + x); }) == 1);
  CHECK(allocations([&] { -(x * 2.0 - x + 3.0) * 4.0; }) == 1);
  const Variable named = x * 2.0;
  CHECK(allocations([&] { named + 1.0; }) == 1);
  CHECK(named.tensor().to_vector<float>()[0] == 2);

  const Variable y = relu(x * 2.0 + x) * 0.5 + 1.0;
  CHECK(y.tensor().to_vector<float>()[999] == 2.5f);
  CHECK(grad({sum(y)}, {x})[0].tensor().to_vector<float>()[999] == 1.5f);
  // A variable with itself, and one that shares memory with the other side.
  Variable z = x * 3.0;
  const Variable twice = add(std::move(z), z);
  CHECK(twice.tensor().to_vector<float>()[0] == 6);
  Tensor t = full({4}, 2);
  const Tensor view = reshape(t, {2, 2});
  CHECK(add(std::move(t), 1.0).to_vector<float>()[0] == 3);
  CHECK(view.to_vector<float>()[0] == 2);
}

TEST_CASE("gradients add up in place only where nobody looks") {
  Variable x(ones({3}), true);
  (x * 2.0 + x * 3.0).backward(Variable(ones({3})));
  const Tensor kept = x.grad().tensor();
  CHECK(kept.to_vector<float>()[0] == 5);
  sum(x).backward();
  CHECK(kept.to_vector<float>()[0] == 5);
  CHECK(x.grad().tensor().to_vector<float>()[0] == 6);
  // The gradient that was given is the caller's.
  const Variable given(ones({3}));
  x.zero_grad();
  (x + x).backward(given);
  CHECK(given.tensor().to_vector<float>()[0] == 1);
  CHECK(x.grad().tensor().to_vector<float>()[0] == 2);
}

TEST_CASE("the gradient of an activation overwrites no gradient that others see") {
  Generator g(5);
  const Tensor a = random_normal({3, 70}, g), b = random_normal({3, 70}, g);
  const Tensor weight = random_normal({3, 70}, g);
  const auto gradient = [&](const Tensor& value) {
    const Variable x(value, true);
    sum(gelu(x) * Variable(weight)).backward();
    return x.grad().tensor().to_vector<float>();
  };
  const Variable x(a, true), z(b, true);
  const Variable y = gelu(x);
  Variable seen;
  y.register_hook([&](const Variable& dy) {
    seen = dy;
    return Variable();
  });
  // Both activations get one and the same dy.
  sum((y + gelu(z)) * Variable(weight)).backward();
  CHECK(seen.tensor().to_vector<float>() == weight.to_vector<float>());
  CHECK(x.grad().tensor().to_vector<float>() == gradient(a));
  CHECK(z.grad().tensor().to_vector<float>() == gradient(b));
}

TEST_CASE("the gradients of a packed projection's thirds are put together where they lie") {
  Generator g(6);
  const std::int64_t B = 2, L = 5, H = 2, D = 4;
  const Tensor packed = random_normal({B, L, 3 * H * D}, g);
  const Variable weight{random_normal({B, H, L, D}, g)};
  const auto gradient = [&](bool apart) {
    const Variable x(packed, true);
    std::vector<Variable> heads;
    for (const Variable& third : chunk(x, 3, -1)) {
      heads.push_back(transpose(reshape(apart ? third * 1.0 : third, {B, L, H, D}), 1, 2));
    }
    sum(attention(heads[0], heads[1], heads[2], {.causal = true}) * weight).backward();
    return x.grad().tensor().to_vector<float>();
  };
  CHECK(gradient(false) == gradient(true));

  // Pieces of which one is missing, and pieces in another order.
  const Variable x(packed, true);
  const std::vector<Variable> parts = split(x, {3, 4, 17}, -1);
  sum(square(parts[1])).backward();
  const Tensor grad = x.grad().tensor();
  CHECK(slice(grad, -1, 3, 7).to_vector<float>() ==
        mul(slice(packed, -1, 3, 7), 2.0).to_vector<float>());
  CHECK(sum(abs(slice(grad, -1, 7, 24))).item() == 0);
  const Variable u(packed, true);
  const std::vector<Variable> halves = chunk(u, 2, -1);
  sum(cat(std::vector<Variable>{halves[1], halves[0]}, -1) * Variable(packed)).backward();
  CHECK(u.grad().tensor().to_vector<float>() ==
        cat(std::vector<Tensor>{slice(packed, -1, 12, 24), slice(packed, -1, 0, 12)}, -1)
            .to_vector<float>());
}
