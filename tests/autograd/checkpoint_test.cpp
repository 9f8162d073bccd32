#include "autograd/checkpoint.h"

#include <catch2/catch.hpp>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"

using namespace athanor;
using Catch::Contains;
using Vars = std::vector<Variable>;

namespace {

// A pre-norm feed-forward block of a transformer, with dropout.
struct Block {
  Variable w1, b1, w2, b2;
  Block(std::int64_t width, Generator& g)
      : w1(random_normal({4 * width, width}, g, 0, 0.1), true),
        b1(random_normal({4 * width}, g, 0, 0.1), true),
        w2(random_normal({width, 4 * width}, g, 0, 0.1), true),
        b2(random_normal({width}, g, 0, 0.1), true) {}

  Variable run(const Variable& x, Generator& masks) const {
    const Variable centred = x - mean(x, {-1}, true);
    const Variable normal = centred * rsqrt(mean(square(centred), {-1}, true) + 1e-5);
    const Variable hidden = dropout(gelu(linear(normal, w1, b1)), 0.1, masks);
    return x + dropout(linear(hidden, w2, b2), 0.1, masks);
  }
};

struct Net {
  std::vector<Block> blocks;
  Net(int depth, std::int64_t width) {
    Generator g(11);
    for (int i = 0; i < depth; ++i) blocks.emplace_back(width, g);
  }
  Variable loss(const Variable& x, Generator& masks, bool with_checkpoints) const {
    Variable y = x;
    for (const Block& block : blocks) {
      const auto run = [&](const Vars& in) { return block.run(in[0], masks); };
      y = with_checkpoints ? checkpoint(run, {y}, {&masks}) : run({y});
    }
    return mean(square(y));
  }
};

struct Outcome {
  std::vector<std::vector<float>> values;  // the loss, then all gradients
  std::int64_t peak = 0;                   // above what lived before, in bytes
  std::uint64_t position = 0;              // of the generator of masks
};

Outcome train_step(const Net& net, bool with_checkpoints) {
  Generator data(5), masks(6);
  const Variable x(random_normal({32, 64}, data), true);
  std::vector<Variable> leaves{x};
  for (const Block& b : net.blocks) leaves.insert(leaves.end(), {b.w1, b.b1, b.w2, b.b2});
  for (Variable& leaf : leaves) leaf.zero_grad();
  Outcome outcome;
  const std::int64_t before = memory_stats().live;
  reset_peak_memory();
  {
    const Variable loss = net.loss(x, masks, with_checkpoints);
    outcome.values.push_back(loss.tensor().to_vector<float>());
    // Gradients of the parameters live in both cases; with respect to x alone the peak is that of
    // the activations.
    const Variable dx = grad({loss}, {x}, false, true)[0];
    outcome.peak = memory_stats().peak - before;
    outcome.position = masks.position();
    loss.backward();
  }
  for (const Variable& leaf : leaves)
    outcome.values.push_back(leaf.grad().tensor().to_vector<float>());
  return outcome;
}

}  // namespace

TEST_CASE("checkpointed gradients have the same bits, with dropout, in a third of the memory") {
  const Net net(36, 64);
  const Outcome plain = train_step(net, false);
  const Outcome saving = train_step(net, true);
  CHECK(saving.values == plain.values);
  CHECK(saving.position == plain.position);
  INFO("peak " << plain.peak << " bytes without, " << saving.peak << " with checkpoints");
  CHECK(static_cast<double>(saving.peak) <= 0.35 * static_cast<double>(plain.peak));
}

TEST_CASE("checkpoint: gradients of gradients, nesting and variables made outside") {
  Generator g(3);
  const Tensor a = random_normal({3, 4}, g, 0, 1, DType::f64);
  const Tensor b = random_normal({4, 2}, g, 0, 1, DType::f64);
  const DifferentiableFunction f = [](const Vars& in) {
    const Variable scale = exp(mean(in[0]));  // made outside, used inside without being named
    return checkpoint(
        [&, scale](const Vars& x) {
          const Variable h = checkpoint([](const Vars& z) { return tanh(z[0] * z[0]); }, {x[0]});
          return matmul(h * scale, in[1]) + sum(x[0]);
        },
        {in[0]});
  };
  CHECK(gradcheck(f, {a, b}).ok);
  const GradcheckResult second = gradgradcheck(f, {a, b});
  INFO(second.message);
  CHECK(second.ok);
}

TEST_CASE("checkpoint runs hooks once") {
  const Variable x(scalar(2), true);
  const Variable y = x * 3.0;
  int calls = 0;
  x.register_hook([&](const Variable&) {
    ++calls;
    return Variable();
  });
  y.register_hook([&](const Variable&) {
    ++calls;
    return Variable();
  });
  checkpoint([&](const Vars& in) { return in[0] * in[0] * x; }, {y}).backward();
  CHECK(calls == 2);
  CHECK(x.grad().item() == 108);  // d(9 x^3) = 27 x^2
}

TEST_CASE("checkpoint of a constant or of an input, and without recording") {
  const Variable x(scalar(2), true), constant(scalar(2));
  const auto twice = [](const Vars& in) { return in[0] * 2.0; };
  CHECK_FALSE(checkpoint(twice, {constant}).requires_grad());
  CHECK(checkpoint([](const Vars& in) { return in[0]; }, {x}).state() == x.state());
  const NoGrad no_grad;
  CHECK_FALSE(checkpoint(twice, {x}).requires_grad());
}

TEST_CASE("checkpoint notices that the second run differs") {
  const Variable x(ones({64}), true);
  Generator g(1);
  const auto forgetful = [&](const Vars& in) { return dropout(in[0], 0.5, g); };
  CHECK_THROWS_WITH(sum(checkpoint(forgetful, {x})).backward(),
                    Contains("[checkpoint]") && Contains("is every generator named"));
  // An input written in place in between is found by its version.
  const Variable y = checkpoint([](const Vars& in) { return exp(in[0]); }, {x});
  Tensor value = x.tensor();
  fill_(value, 3);
  CHECK_THROWS_WITH(sum(y).backward(),
                    Contains("saved by checkpoint") && Contains("in place by fill_"));
  CHECK_THROWS_WITH(checkpoint([](const Vars& in) { return in[0]; }, {x}, {nullptr}),
                    Contains("null pointer"));
}
