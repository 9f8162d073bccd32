// check_op_case() on a device: its results are those of the CPU.
#include <catch2/catch.hpp>

#include "tensor/devices.h"
#include "tensor/ops.h"
#include "tensor/ops/device.h"
#include "tests/ops/op_case_run.h"

namespace athanor::test {
namespace detail {
namespace {

// What check_op_cases_on() chose.
Device device_under_test;

std::vector<Tensor> on_device(const std::vector<Tensor>& inputs) {
  std::vector<Tensor> moved;
  for (const Tensor& t : inputs) moved.push_back(to(t, device_under_test));
  return moved;
}

bool same_outcome(const Outcome& a, const Outcome& b) {
  bool same = same_bits(a.value, b.value);
  for (std::size_t i = 0; i < a.gradients.size(); ++i) {
    same = same && same_bits(a.gradients[i], b.gradients[i]);
  }
  return same;
}

void check_dtype_on_device(const OpCase& c, DType dtype, double tolerance) {
  const std::vector<Tensor> inputs = make_inputs(c, dtype);
  const How how{1, false, dtype};
  INFO("dtype " << name_of(dtype) << " on " << device_under_test);
  Outcome expected;
  try {
    expected = evaluate(c, cast_floating(inputs, DType::f64), how);
    if (expected.dtype == DType::f64) expected.dtype = dtype;
  } catch (const Error& error) {
    INFO("the CPU threw " << error.what());
    CHECK_THROWS_AS(evaluate(c, on_device(inputs), how), Error);
    return;
  }
  const Outcome got = evaluate(c, on_device(inputs), how);
  CHECK(got.dtype == expected.dtype);
  compare("device = f64", got, expected, tolerance);
  INFO("twice the same bits");
  CHECK(same_outcome(got, evaluate(c, on_device(inputs), how)));
  if (dtype != DType::f32) return;
  std::vector<Tensor> gaps, reversed;
  for (const Tensor& t : on_device(inputs)) {
    gaps.push_back(spread(t));
    reversed.push_back(reversed_order(t));
  }
  compare("inputs with gaps", evaluate(c, gaps, how), expected, tolerance);
  compare("inputs in another order", evaluate(c, reversed, how), expected, tolerance);
}

// Whether the device's table lacks a dtype, which table_test.cpp lists with its reason.
bool lacks_dtype(const Error& error) {
  return std::string(error.what()).find("has no kernel for dtype") != std::string::npos;
}

// The device gives the CPU's result, or both throw, or the device has no kernel for the dtype.
void check_same_on_device(const OpCase& c, const std::vector<Tensor>& inputs) {
  Outcome expected;
  try {
    expected = evaluate(c, inputs);
  } catch (const Error& error) {
    INFO("the CPU threw " << error.what());
    CHECK_THROWS_AS(evaluate(c, on_device(inputs)), Error);
    return;
  }
  try {
    compare("device = CPU", evaluate(c, on_device(inputs)), expected, c.tolerance_f32);
  } catch (const Error& error) {
    if (!lacks_dtype(error)) throw;
  }
}

void check_on_device(const OpCase& c) {
  INFO("op case " << c.name << " on a device");
  if (c.cpu_only) {
    CHECK_THROWS_WITH(
        c.run(leaves_of(c, on_device(make_inputs(c, DType::f32)))),
        Catch::StartsWith("[") && Catch::Contains("on the CPU") && Catch::Contains("cuda:0"));
    return;
  }
  check_dtype_on_device(c, DType::f32, c.tolerance_f32);
  check_dtype_on_device(c, DType::f64, 1e-11);
  check_dtype_on_device(c, DType::bf16, c.tolerance_bf16);
  check_dtype_on_device(c, DType::f16, c.tolerance_f16);
  for (const std::vector<Shape>& shapes : c.edges) {
    OpCase edge = c;
    for (std::size_t i = 0; i < shapes.size(); ++i) edge.inputs[i].shape = shapes[i];
    check_same_on_device(edge, make_inputs(edge, DType::f32));
  }
  OpCase plain = c;
  plain.gradient = false;
  for (DType dtype : {DType::u8, DType::i32, DType::i64, DType::boolean}) {
    INFO("inputs of dtype " << name_of(dtype));
    std::vector<Tensor> inputs = make_inputs(c, DType::f64);
    for (Tensor& t : inputs) {
      if (is_floating(t.dtype())) t = cast(abs(round(t)), dtype);
    }
    check_same_on_device(plain, inputs);
  }
}

}  // namespace

bool checked_on_device(const OpCase& c) {
  if (device_under_test.type == DeviceType::cpu) return false;
  check_on_device(c);
  empty_memory_cache(device_under_test);  // a case meets no memory of another
  return true;
}

}  // namespace detail

void check_op_cases_on(Device device) { detail::device_under_test = device; }

}  // namespace athanor::test
