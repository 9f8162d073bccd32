#include "tests/ops/op_case.h"

#include <catch2/catch.hpp>

#include "autograd/gradcheck.h"
#include "tensor/backend/kernels.h"
#include "tensor/base/deterministic.h"
#include "tensor/base/parallel.h"
#include "tensor/ops.h"
#include "tests/ops/op_case_run.h"

namespace athanor::test {
namespace {

using namespace detail;

// Restores the number of threads and the mode, also when a check throws.
struct Settings {
  int threads = num_threads();
  bool mode = deterministic();
  ~Settings() {
    set_num_threads(threads);
    set_deterministic(mode);
  }
};

void check_same_bits(const Outcome& got, const Outcome& expected) {
  CHECK(same_bits(got.value, expected.value));
  REQUIRE(got.gradients.size() == expected.gradients.size());
  for (std::size_t i = 0; i < expected.gradients.size(); ++i) {
    INFO("gradient " << i);
    CHECK(same_bits(got.gradients[i], expected.gradients[i]));
  }
}

// The same bits at 1, 2 and 4 threads: in deterministic mode for every operation and dtype path,
// and without it where the case does not say otherwise.
void check_threads(const OpCase& c, const Outcome& exact) {
  const Settings restore;
  for (const bool mode : {true, false}) {
    if (!mode && !c.thread_invariant) continue;
    set_deterministic(mode);
    for (const DType dtype : {DType::f32, DType::bf16}) {
      if (dtype == DType::bf16 && !(mode && c.numeric)) continue;
      INFO((mode ? "deterministic mode, " : "") << name_of(dtype));
      const std::vector<Tensor> inputs = make_inputs(c, dtype);
      set_num_threads(1);
      const Outcome one = evaluate(c, inputs);
      if (dtype == DType::f32) compare("f32 = f64", one, exact, c.tolerance_f32);
      for (const int threads : {2, 4}) {
        INFO(threads << " threads against one");
        set_num_threads(threads);
        check_same_bits(evaluate(c, inputs), one);
      }
    }
  }
}

void check_gradients(const OpCase& c, const std::vector<Tensor>& inputs) {
  // Constants are bound, so that gradcheck moves only what is differentiable.
  std::vector<Tensor> moving;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].dtype() == DType::f64 && c.inputs[i].differentiable) moving.push_back(inputs[i]);
  }
  const DifferentiableFunction f = [&](const std::vector<Variable>& leaves) {
    std::vector<Variable> all;
    std::size_t next = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const bool moves = inputs[i].dtype() == DType::f64 && c.inputs[i].differentiable;
      all.push_back(moves ? leaves[next++] : Variable(inputs[i]));
    }
    return c.run(all);
  };
  const GradcheckResult first = gradcheck(f, moving, {1e-6, c.gradcheck_tolerance});
  INFO("gradcheck: " << first.message);
  CHECK(first.ok);
  if (!c.second_gradient) return;
  const GradcheckResult second = gradgradcheck(f, moving);
  INFO("gradgradcheck: " << second.message);
  CHECK(second.ok);
}

// f16 and bf16 against f64, both for inputs and weights that the 16-bit dtype holds exactly: what
// is left is the arithmetic.
void check_low_precision(const OpCase& c, DType dtype, double tolerance) {
  const std::vector<Tensor> inputs = make_inputs(c, dtype);
  const How how{1, false, dtype};
  const Outcome expected = evaluate(c, cast_floating(inputs, DType::f64), how);
  const Outcome got = evaluate(c, inputs, how);
  CHECK(got.dtype == (expected.dtype == DType::f64 ? dtype : expected.dtype));
  compare(dtype == DType::f16 ? "f16 = f64" : "bf16 = f64", got, expected, tolerance);
}

// Values and gradients agree between kernels and dtypes at the given shapes of the inputs.
void check_edge(const OpCase& c, const std::vector<Shape>& shapes, bool must_work) {
  OpCase edge = c;
  std::string text = "inputs of shapes";
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    edge.inputs[i].shape = shapes[i];
    text += str(" ", shapes[i]);
  }
  INFO(text);
  try {
    const std::vector<Tensor> exact = make_inputs(edge, DType::f64);
    const Outcome fast = evaluate(edge, exact);
    UseReferenceKernels reference;
    const Outcome expected = evaluate(edge, exact);
    compare("f64 fast = reference", fast, expected, 1e-12);
    compare("f32 = f64", evaluate(edge, make_inputs(edge, DType::f32)), expected, c.tolerance_f32);
  } catch (const Error& error) {
    INFO("threw " << error.what());
    CHECK((!must_work && error.what()[0] == '['));
  }
}

// Every case is tried with no rows, with no columns and with 0-dim inputs.
void check_edges(const OpCase& c) {
  for (const std::vector<Shape>& shapes : c.edges) {
    REQUIRE(shapes.size() == c.inputs.size());
    check_edge(c, shapes, true);
  }
  std::vector<Shape> no_rows, no_columns, scalars;
  for (const CaseInput& input : c.inputs) {
    Shape rows = input.shape, columns = input.shape;
    if (!rows.empty()) rows[0] = columns[columns.size() - 1] = 0;
    no_rows.push_back(rows);
    no_columns.push_back(columns);
    scalars.push_back({});
  }
  for (const auto& shapes : {no_rows, no_columns, scalars}) check_edge(c, shapes, false);
}

// Integers and bool instead of the floating inputs: the result of f64, in the low bits that an
// integer keeps, or an error.
void check_integers(const OpCase& c, DType dtype) {
  OpCase plain = c;
  plain.gradient = false;
  std::vector<Tensor> inputs = cast_floating(make_inputs(c, DType::f64), DType::f64);
  for (Tensor& t : inputs) {
    if (is_floating(t.dtype())) t = cast(abs(round(t)), dtype);
  }
  INFO("inputs of dtype " << name_of(dtype));
  try {
    const Tensor got = plain.run(leaves_of(plain, inputs)).tensor();
    std::vector<Tensor> exact = make_inputs(c, DType::f64);
    for (std::size_t i = 0; i < exact.size(); ++i) exact[i] = cast(inputs[i], exact[i].dtype());
    const Tensor expected = plain.run(leaves_of(plain, exact)).tensor();
    if (is_floating(got.dtype())) {
      CHECK(distance(cast(got, DType::f64), cast(expected, DType::f64)) <= 1e-5);
    } else {
      const Tensor low_bits = cast(cast(expected, DType::i64), got.dtype());
      CHECK(same_bits(cast(got, DType::f64), cast(low_bits, DType::f64)));
    }
  } catch (const Error& error) {
    INFO("threw " << error.what());
    CHECK(error.what()[0] == '[');
  }
}

// An undefined input is left out or refused, one on another device is refused; both by an error
// that names the operation.
void check_refusals(const OpCase& c, const std::vector<Tensor>& inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    INFO("input " << i << " undefined");
    std::vector<Variable> some = leaves_of(c, inputs);
    some[i] = Variable();
    try {
      c.run(some);
    } catch (const Error& error) {
      INFO("threw " << error.what());
      CHECK(error.what()[0] == '[');
    }
  }
  if (inputs.size() < 2) return;
  // Memory of the host under another device's name.
  const Device other{DeviceType::cpu, 1};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    INFO("input " << i << " on another device");
    std::vector<Variable> mixed = leaves_of(c, inputs);
    Tensor elsewhere = empty(inputs[i].shape(), inputs[i].dtype(), other);
    const Tensor plain = contiguous(inputs[i]);
    std::copy_n(static_cast<const std::byte*>(plain.raw()), plain.numel() * size_of(plain.dtype()),
                static_cast<std::byte*>(elsewhere.raw()));
    mixed[i] = Variable(elsewhere, mixed[i].requires_grad());
    CHECK_THROWS_WITH(c.run(mixed), Catch::StartsWith("["));
  }
}

}  // namespace

OpCase values_case(std::string name, std::vector<CaseInput> inputs,
                   std::function<Tensor(const std::vector<Tensor>&)> run) {
  OpCase c{std::move(name), std::move(inputs), {}};
  c.gradient = false;
  c.run = [run = std::move(run)](const std::vector<Variable>& x) {
    std::vector<Tensor> values;
    for (const Variable& v : x) values.push_back(v.tensor());
    return Variable(run(values));
  };
  return c;
}

void check_op_case(const OpCase& c) {
  if (detail::checked_on_device(c)) return;
  INFO("op case " << c.name);
  const std::vector<Tensor> exact = make_inputs(c, DType::f64);
  Outcome expected;
  {
    UseReferenceKernels reference;
    expected = evaluate(c, exact);
  }
  // f64 leaves 1e-12 for a different order of summation.
  compare("f64 fast = reference", evaluate(c, exact), expected, 1e-12);
  const std::vector<Tensor> inputs = make_inputs(c, DType::f32);
  const std::vector<Tensor> before = make_inputs(c, DType::f32);
  const Outcome single = evaluate(c, inputs);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    INFO("input " << i << " keeps its values");
    CHECK(inputs[i].version() == 0);
    CHECK(same_bits(cast(inputs[i], DType::f64), cast(before[i], DType::f64)));
  }
  CHECK(single.dtype == (expected.dtype == DType::f64 ? DType::f32 : expected.dtype));
  compare("f32 fast = f64", single, expected, c.tolerance_f32);

  std::vector<Tensor> gaps, reversed;
  for (const Tensor& t : inputs) {
    gaps.push_back(spread(t));
    reversed.push_back(reversed_order(t));
  }
  compare("inputs with gaps", evaluate(c, gaps), expected, c.tolerance_f32);
  compare("inputs in another order", evaluate(c, reversed), expected, c.tolerance_f32);
  check_low_precision(c, DType::bf16, c.tolerance_bf16);
  check_low_precision(c, DType::f16, c.tolerance_f16);
  if (c.numeric) {
    check_edges(c);
    for (DType dtype : {DType::i8, DType::u8, DType::i32, DType::i64, DType::boolean}) {
      check_integers(c, dtype);
    }
  }

  if (c.gradient && expected.value.numel() > 0) {
    const Outcome twice = evaluate(c, exact, {2, false, DType::f64});
    for (std::size_t i = 0; i < expected.gradients.size(); ++i) {
      INFO("two backward calls, gradient " << i);
      CHECK(distance(twice.gradients[i], mul(expected.gradients[i], 2.0)) <= 1e-12);
    }
    if (c.second_gradient) {
      compare("with a graph", evaluate(c, exact, {1, true, DType::f64}), expected, 1e-10);
    }
    if (c.numeric) check_gradients(c, exact);
  }
  check_threads(c, expected);
  check_refusals(c, inputs);
}

}  // namespace athanor::test
