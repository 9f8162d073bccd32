// Every operation, forward and backward, against PyTorch's values in f64.
//
// The bound, for f64 and f32, forward and backward: 16 epsilon of the dtype (2^-52, 2^-23) times
// the largest golden magnitude of the tensor.
#include <catch2/catch.hpp>
#include <limits>
#include <set>

#include "tensor/ops.h"
#include "tests/golden/golden.h"

using namespace athanor;
using namespace athanor::test;

namespace {

constexpr double kEpsilons = 16;

const Tensor* find(const NamedTensors& golden, const std::string& name) {
  const auto it = golden.find(name);
  return it == golden.end() ? nullptr : &it->second;
}

// Runs one case in `dtype`.
void check_case(const NamedTensors& golden, const std::string& name, const GoldenOp& op,
                DType dtype) {
  INFO("golden case " << name << " in " << dtype);
  const double epsilon = dtype == DType::f64 ? std::numeric_limits<double>::epsilon()
                                             : std::numeric_limits<float>::epsilon();
  const double bound = kEpsilons * epsilon;
  std::vector<Variable> inputs;
  for (int i = 0;; ++i) {
    const Tensor* input = find(golden, str(name, "#in", i));
    if (!input) break;
    const bool moves = find(golden, str(name, "#grad", i));
    inputs.emplace_back(is_floating(input->dtype()) ? cast(*input, dtype) : *input, moves);
  }
  REQUIRE_FALSE(inputs.empty());
  const Variable out = op(inputs);
  CHECK(largest_error(out.tensor(), golden.at(name + "#out")) <= bound);
  const Tensor* dy = find(golden, name + "#dy");
  CHECK(out.requires_grad() == (dy != nullptr));
  if (!dy) return;
  out.backward(Variable(cast(*dy, out.dtype())));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].requires_grad()) continue;
    INFO("gradient of input " << i);
    CHECK(largest_error(inputs[i].grad().tensor(), golden.at(str(name, "#grad", i))) <= bound);
  }
}

}  // namespace

TEST_CASE("operations and their gradients agree with PyTorch") {
  const NamedTensors golden = load_golden("ops");
  for (const auto& [name, op] : golden_ops()) {
    REQUIRE(golden.contains(name + "#out"));
    check_case(golden, name, op, DType::f64);
    check_case(golden, name, op, DType::f32);
  }
}

TEST_CASE("every golden case is compared") {
  std::set<std::string> recorded, compared;
  for (const auto& [name, array] : load_golden("ops")) {
    if (name.ends_with("#out")) recorded.insert(name.substr(0, name.size() - 4));
  }
  for (const auto& [name, op] : golden_ops()) compared.insert(name);
  CHECK(recorded == compared);
}

TEST_CASE("the comparison can fail") {
  CHECK(largest_error(ones({2}), ones({3})) > 1);
  CHECK(largest_error(full({2}, 1.5), ones({2})) == 0.5);
  CHECK(largest_error(full({2}, NAN), ones({2})) > 1);
  CHECK(norm_error(full({4}, 1.1, DType::f64), ones({4}, DType::f64)) == Approx(0.1));
}
