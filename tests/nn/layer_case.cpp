#include "tests/nn/layer_case.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <set>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "nn/functional_call.h"

namespace athanor::test {
namespace {

// f32: sums of a few hundred terms in another order; LayerCase::bound is the same in f64.
constexpr double kBound32 = 5e-5;

// The largest difference over the largest golden magnitude, or over 1 where that is smaller: some
// gradients are 0 but for rounding (softmax cancels a bias of the keys).
double error_of(const Tensor& got, const Tensor& golden) {
  if (!(got.shape() == golden.shape())) return std::numeric_limits<double>::infinity();
  const Tensor expected = cast(golden, DType::f64);
  const double scale = std::max(1.0, amax(abs(expected)).item());
  const double error = amax(abs(sub(cast(got, DType::f64), expected))).item() / scale;
  return std::isfinite(error) ? error : std::numeric_limits<double>::infinity();
}

struct Golden {
  const NamedTensors& arrays;
  std::string name;

  // The arrays named name#kind:..., without that prefix, in `dtype`.
  nn::StateDict state(const std::string& kind, DType dtype) const {
    nn::StateDict result;
    const std::string prefix = name + "#" + kind + ":";
    for (const auto& [key, value] : arrays) {
      if (key.starts_with(prefix)) result.emplace(key.substr(prefix.size()), cast(value, dtype));
    }
    return result;
  }

  LayerInputs inputs(DType dtype) const {
    LayerInputs result;
    for (int i = 0; arrays.contains(str(name, "#in", i)); ++i) {
      const Tensor& value = arrays.at(str(name, "#in", i));
      const bool moves = arrays.contains(str(name, "#grad", i));
      result.emplace_back(is_floating(value.dtype()) ? clone(cast(value, dtype)) : value, moves);
    }
    return result;
  }
};

Variable run(const LayerCase& layer, nn::Module& module, const LayerInputs& inputs) {
  return layer.run ? layer.run(module, inputs) : module.forward(inputs.at(0));
}

std::shared_ptr<nn::Module> make(const LayerCase& layer, const nn::StateDict& state, DType dtype) {
  Generator generator(11);
  auto module = layer.make(generator);
  module->to(dtype);
  module->load_state_dict(state);
  module->train(layer.training);
  return module;
}

void check_gradients(const Golden& golden, const LayerCase& layer, const nn::Module& module,
                     const LayerInputs& inputs) {
  const nn::StateDict expected = golden.state("grad", DType::f64);
  std::set<std::string> names;
  for (const auto& [name, parameter] : module.named_parameters()) {
    INFO("gradient of " << name);
    names.insert(name);
    REQUIRE(expected.contains(name));
    REQUIRE(parameter.grad().defined());
    const std::int64_t first = name == layer.padded_table ? 1 : 0, end = parameter.size(0);
    CHECK(error_of(slice(parameter.grad().tensor(), 0, first, end),
                   slice(expected.at(name), 0, first, end)) <= layer.bound);
  }
  for (const auto& [name, value] : expected) CHECK(names.contains(name));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].requires_grad()) continue;
    INFO("gradient of input " << i);
    CHECK(error_of(inputs[i].grad().tensor(), golden.arrays.at(str(golden.name, "#grad", i))) <=
          layer.bound);
  }
}

}  // namespace

void check_numerically(nn::Module& module, const LayerInputs& inputs,
                       const std::function<Variable(nn::Module&, const LayerInputs&)>& run) {
  std::vector<Tensor> all;
  for (const Variable& input : inputs) all.push_back(input.tensor());
  std::vector<std::string> names;
  for (const auto& [name, parameter] : module.named_parameters()) {
    names.push_back(name);
    all.push_back(clone(parameter.tensor()));
  }
  const auto function = [&](const std::vector<Variable>& x) {
    const auto count = static_cast<std::ptrdiff_t>(inputs.size());
    nn::ParameterMap parameters;
    for (std::size_t i = 0; i < names.size(); ++i) {
      parameters.emplace(names[i], x[inputs.size() + i]);
    }
    const nn::ReplaceParameters scope(module, parameters);
    const Variable y = run(module, LayerInputs(x.begin(), x.begin() + count));
    scope.check_used();
    return y;
  };
  GradcheckOptions options;
  options.smallest = 1;  // softmax cancels a bias of the keys: its gradient is rounding alone
  const GradcheckResult result = gradcheck(function, all, options);
  INFO(result.message);
  CHECK(result.ok);
}

void check_layer(const NamedTensors& arrays, const LayerCase& layer) {
  INFO("layer " << layer.name);
  const Golden golden{arrays, layer.name};
  REQUIRE(arrays.contains(layer.name + "#out"));
  const Tensor& expected = arrays.at(layer.name + "#out");
  const nn::StateDict start = golden.state("start", DType::f64);

  auto module = make(layer, start, DType::f64);
  const LayerInputs inputs = golden.inputs(DType::f64);
  const Variable out = run(layer, *module, inputs);
  CHECK(error_of(out.tensor(), expected) <= layer.bound);
  out.backward(arrays.at(layer.name + "#dy"));
  check_gradients(golden, layer, *module, inputs);
  check_numerically(*module, inputs,
                    [&](nn::Module& m, const LayerInputs& x) { return run(layer, m, x); });

  auto single = make(layer, golden.state("start", DType::f32), DType::f32);
  const LayerInputs singles = golden.inputs(DType::f32);
  CHECK(error_of(run(layer, *single, singles).tensor(), expected) <= kBound32);

  // Running statistics have moved: compare what both states give from here on.
  auto restored = make(layer, single->state_dict(), DType::f32);
  CHECK(run(layer, *restored, singles).tensor().to_vector<float>() ==
        run(layer, *single, singles).tensor().to_vector<float>());
}

void check_all_compared(const NamedTensors& golden, const std::vector<std::string>& groups,
                        const std::vector<LayerCase>& compared) {
  std::set<std::string> recorded, names;
  for (const auto& [key, value] : golden) {
    if (!key.ends_with("#out")) continue;
    const std::string name = key.substr(0, key.size() - 4);
    const std::string group = name.substr(0, name.find('/'));
    if (std::find(groups.begin(), groups.end(), group) != groups.end()) recorded.insert(name);
  }
  for (const LayerCase& layer : compared) names.insert(layer.name);
  CHECK(recorded == names);
}

}  // namespace athanor::test
