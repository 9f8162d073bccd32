// Quantised operations against PyTorch and ONNX Runtime (make_quantized.py).
#include <catch2/catch.hpp>

#include "autograd/ops.h"
#include "tests/golden/golden.h"

namespace athanor::test {
namespace {

constexpr Quantization kInput{0.0173f, 113}, kSigned{0.0173f, -15}, kOutput{0.31f, 97};

// Elements that differ, and by how much at most.
struct Difference {
  std::int64_t count = 0;
  double most = 0;
};
Difference difference(const Tensor& got, const Tensor& golden) {
  REQUIRE(got.shape() == golden.shape());
  REQUIRE(got.dtype() == golden.dtype());
  const std::vector<double> a = cast(got, DType::f64).to_vector<double>(),
                            b = cast(golden, DType::f64).to_vector<double>();
  Difference d;
  for (std::size_t i = 0; i < a.size(); ++i) {
    d.count += a[i] != b[i];
    d.most = std::max(d.most, std::abs(a[i] - b[i]));
  }
  return d;
}

QuantizedWeight weight_of(const NamedTensors& golden, const std::string& name,
                          const Conv2dOptions& options = {}) {
  const Tensor& scale = golden.at(name + "#scale");
  Tensor bias;
  if (golden.contains(name + "#bias")) {
    bias = mul(cast(golden.at(name + "#bias"), DType::f32), mul(scale, kInput.scale));
  }
  return {golden.at(name + "#w"), scale, bias, kInput, options};
}

}  // namespace

TEST_CASE("rounding to 8 bits and back is PyTorch's") {
  const NamedTensors golden = load_golden("quantized");
  const Tensor& x = golden.at("quantize#in");
  const auto same = [&](const Tensor& got, const char* name) {
    INFO(name);
    CHECK(difference(got, golden.at(name)).count == 0);
  };
  same(quantize(x, kInput), "quantize/u8#out");
  same(quantize(x, kSigned, DType::i8), "quantize/i8#out");
  same(dequantize(golden.at("quantize/u8#out"), kInput), "dequantize/u8#out");
  same(dequantize(golden.at("quantize/i8#out"), kSigned), "dequantize/i8#out");
  const Variable leaf(x, true);
  const Variable y = fake_quantize(leaf, kInput);
  same(y.tensor(), "fake_quantize#out");
  y.backward(Variable(golden.at("fake_quantize#dy")));
  same(leaf.grad().tensor(), "fake_quantize#grad");
  const Tensor &w = golden.at("quantize_per_channel#in"),
               &scale = golden.at("quantize_per_channel#scale");
  const Variable weight(w, true);
  const Variable z = fake_quantize_per_channel(weight, scale);
  same(z.tensor(), "fake_quantize_per_channel#out");
  same(dequantize_per_channel(quantize_per_channel(w, scale), scale),
       "fake_quantize_per_channel#out");
  z.backward(Variable(golden.at("fake_quantize_per_channel#dy")));
  same(weight.grad().tensor(), "fake_quantize_per_channel#grad");
}

TEST_CASE("quantised layers are ONNX Runtime's") {
  const NamedTensors golden = load_golden("quantized");
  const QuantizedOutput output{kOutput, false};
  // Factors of requantisation may differ by one rounding: by a step where a sum then lies on the
  // other side of the middle between two.
  const auto near = [&](const Tensor& got, const std::string& name) {
    INFO(name);
    const Difference d = difference(got, golden.at(name + "#out"));
    CHECK(d.most <= 1);
    CHECK(d.count <= got.numel() / 500);
  };
  near(quantized_linear(golden.at("quantized_linear#x"), weight_of(golden, "quantized_linear"),
                        output),
       "quantized_linear");
  const std::pair<const char*, Conv2dOptions> cases[] = {
      {"quantized_conv2d", {.padding = 1}},
      {"quantized_conv2d/strided", {.stride = {2, 1}, .padding = {2, 1}, .dilation = {1, 2}}},
      {"quantized_conv2d/groups", {.groups = 2}},
      {"quantized_conv2d/depthwise", {.padding = 1, .groups = 5}}};
  for (const auto& [name, options] : cases) {
    near(quantized_conv2d(golden.at(str(name, "#x")), weight_of(golden, name, options), output),
         name);
  }
}

}  // namespace athanor::test
