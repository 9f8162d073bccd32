// Ten steps of training against PyTorch's, from the same weights and batches.
//
// f64: losses and each parameter's gradient to 1e-8 at every step. f32: gradients to 1e-4 at the
// first step and 1e-3 at the tenth, where rounding has gone through the weights nine times. Errors
// are norms of the difference over norms of the golden value.
#include <catch2/catch.hpp>

#include "autograd/ops.h"
#include "nn/optim.h"
#include "tensor/base/deterministic.h"
#include "tensor/base/parallel.h"
#include "tests/golden/golden.h"

using namespace athanor;
using namespace athanor::test;
using Parameters = std::map<std::string, Variable>;

namespace {

constexpr int kSteps = 10;

// The parameters at the start, in `dtype`.
Parameters parameters_of(const NamedTensors& golden, DType dtype) {
  Parameters parameters;
  for (const auto& [name, value] : golden) {
    if (name.starts_with("start#")) {
      parameters.emplace(name.substr(6), Variable(clone(cast(value, dtype)), true));
    }
  }
  return parameters;
}

class Cnn {
 public:
  explicit Cnn(DType dtype) {
    for (int i = 0; i < 2; ++i) {
      means[i] = zeros({i == 0 ? 4 : 6}, dtype);
      variances[i] = ones({i == 0 ? 4 : 6}, dtype);
    }
  }
  Variable operator()(const Parameters& p, const Tensor& batch) {
    Variable x = batch;
    for (int i = 0; i < 2; ++i) {
      const std::string n = str(i + 1);
      x = conv2d(x, p.at("conv" + n + ".weight"), {}, {.padding = 1});
      x = batch_norm(x, p.at("norm" + n + ".weight"), p.at("norm" + n + ".bias"), means[i],
                     variances[i]);
      x = max_pool2d(relu(x));
    }
    return linear(flatten(x), p.at("head.weight"), p.at("head.bias"));
  }
  Tensor means[2], variances[2];
};

Variable layer_norm_of(const Variable& x, const Parameters& p, const std::string& name) {
  const Variable centred = x - mean(x, {-1}, true);
  const Variable scale = rsqrt(mean(square(centred), {-1}, true) + 1e-5);
  return centred * scale * p.at(name + ".weight") + p.at(name + ".bias");
}

Variable project(const Variable& x, const Parameters& p, const std::string& name) {
  const auto bias = p.find(name + ".bias");
  return linear(x, p.at(name + ".weight"), bias == p.end() ? Variable() : bias->second);
}

// [B, L, 8] -> [B, 2 heads, L, 4]
Variable heads(const Variable& x) {
  return transpose(reshape(x, {x.size(0), x.size(1), 2, 4}), 1, 2);
}

Variable transformer(const Parameters& p, const Tensor& tokens) {
  Variable x = embedding(p.at("embedding.weight"), tokens);
  for (int i = 0; i < 2; ++i) {
    const std::string layer = str("layers.", i, ".");
    const Variable h = layer_norm_of(x, p, layer + "norm1");
    const Variable q = heads(project(h, p, layer + "q")), k = heads(project(h, p, layer + "k"));
    const Variable scores = matmul(q, transpose(k)) * 0.5;  // 1 / sqrt(4)
    const Variable mixed = matmul(softmax(scores), heads(project(h, p, layer + "v")));
    x = x + project(reshape(transpose(mixed, 1, 2), x.shape()), p, layer + "out");
    const Variable up = project(layer_norm_of(x, p, layer + "norm2"), p, layer + "up");
    x = x + project(gelu(up), p, layer + "down");
  }
  return project(mean(layer_norm_of(x, p, "norm"), {1}), p, "head");
}

using Model = std::function<Variable(const Parameters&, const Tensor& batch)>;

// Trains and compares; gives the parameters at the end.
Parameters check_training(const NamedTensors& golden, DType dtype, const Model& model) {
  Parameters parameters = parameters_of(golden, dtype);
  std::vector<Variable> all;
  for (auto& [name, p] : parameters) all.push_back(p);
  nn::Sgd optimizer(all);
  const auto losses = golden.at("losses").to_vector<double>();
  for (int step = 0; step < kSteps; ++step) {
    const bool exact = dtype == DType::f64;
    const double bound = exact ? 1e-8 : step == 0 ? 1e-4 : 1e-3;
    INFO("step " << step + 1 << " in " << dtype);
    const Tensor batch = select(golden.at("batches"), 0, step);
    const Tensor input = is_floating(batch.dtype()) ? cast(batch, dtype) : batch;
    for (auto& [name, p] : parameters) p.zero_grad();
    const Variable loss =
        cross_entropy(model(parameters, input), select(golden.at("labels"), 0, step));
    loss.backward();
    CHECK(std::abs(loss.item() - losses[static_cast<std::size_t>(step)]) <= bound);
    for (const auto& [name, p] : parameters) {
      INFO("gradient of " << name);
      CHECK(norm_error(p.grad().tensor(), golden.at(str("grad", step, "#", name))) <= bound);
    }
    optimizer.step(0.1);
  }
  for (const auto& [name, p] : parameters) {
    INFO(name << " at the end");
    CHECK(norm_error(p.tensor(), golden.at("end#" + name)) <= (dtype == DType::f64 ? 1e-8 : 1e-3));
  }
  return parameters;
}

}  // namespace

TEST_CASE("a CNN trains like PyTorch's") {
  const NamedTensors golden = load_golden("cnn");
  for (DType dtype : {DType::f64, DType::f32}) {
    Cnn cnn(dtype);
    check_training(golden, dtype,
                   [&](const Parameters& p, const Tensor& batch) { return cnn(p, batch); });
    const double bound = dtype == DType::f64 ? 1e-8 : 1e-3;
    for (int i = 0; i < 2; ++i) {
      const std::string norm = str("end#norm", i + 1, ".running_");
      CHECK(norm_error(cnn.means[i], golden.at(norm + "mean")) <= bound);
      CHECK(norm_error(cnn.variances[i], golden.at(norm + "var")) <= bound);
    }
  }
}

TEST_CASE("a transformer trains like PyTorch's") {
  const NamedTensors golden = load_golden("transformer");
  check_training(golden, DType::f64, transformer);
  check_training(golden, DType::f32, transformer);
}

TEST_CASE("deterministic training ends at the same bits with 1, 2 and 4 threads") {
  const NamedTensors cnn_golden = load_golden("cnn"), golden = load_golden("transformer");
  const int before = num_threads();
  set_deterministic(true);
  std::map<std::string, std::vector<float>> first;
  for (const int threads : {1, 2, 4}) {
    set_num_threads(threads);
    Cnn cnn(DType::f32);
    Parameters all =
        check_training(cnn_golden, DType::f32,
                       [&](const Parameters& p, const Tensor& batch) { return cnn(p, batch); });
    all.merge(check_training(golden, DType::f32, transformer));
    for (const auto& [name, p] : all) {
      INFO(name << " at " << threads << " threads");
      const auto values = p.tensor().to_vector<float>();
      CHECK(first.try_emplace(name, values).first->second == values);
    }
  }
  set_deterministic(false);
  set_num_threads(before);
}

TEST_CASE("optimisers make the steps of PyTorch and of the papers on given gradients") {
  const NamedTensors golden = load_golden("optimizers");
  const auto check = [&](const std::string& name, DType dtype, auto make) {
    INFO(name << " in " << dtype);
    Variable p(clone(cast(golden.at(name + "#start"), dtype)), true);
    auto optimizer = make(std::vector<Variable>{p});
    for (int step = 0; step < kSteps; ++step) {
      p.set_grad(cast(select(golden.at(name + "#gradients"), 0, step), dtype));
      optimizer.step(0.03);
      CHECK(norm_error(p.tensor(), select(golden.at(name + "#values"), 0, step)) <=
            (dtype == DType::f64 ? 1e-13 : 2e-6));
    }
  };
  for (DType dtype : {DType::f64, DType::f32}) {
    check("adamw", dtype, [](std::vector<Variable> p) {
      return nn::AdamW(std::move(p),
                       {.beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-6, .weight_decay = 0.1});
    });
    check("adam", dtype, [](std::vector<Variable> p) {
      return nn::AdamW(std::move(p), nn::AdamWOptions{0.9, 0.99, 1e-6, 0.1, true});
    });
    check("sgd", dtype, [](std::vector<Variable> p) {
      return nn::Sgd(std::move(p), {.momentum = 0.9, .weight_decay = 0.1});
    });
    check("nesterov", dtype, [](std::vector<Variable> p) {
      return nn::Sgd(std::move(p), {.momentum = 0.9, .weight_decay = 0.1, .nesterov = true});
    });
    check("lamb", dtype, [](std::vector<Variable> p) {
      return nn::Lamb(std::move(p), nn::LambOptions{0.9, 0.99, 1e-6, 0.1});
    });
    check("lion", dtype, [](std::vector<Variable> p) {
      return nn::Lion(std::move(p), nn::LionOptions{0.9, 0.95, 0.1});
    });
    for (const char* name : {"muon", "muon_tall"}) {
      check(name, dtype, [](std::vector<Variable> p) {
        return nn::Muon(std::move(p), nn::MuonOptions{0.9, 0.1, {}});
      });
    }
  }
}
