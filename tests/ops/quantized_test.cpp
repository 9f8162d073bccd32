// Quantised operations: the fast kernels give the reference's bytes, with and without VNNI.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "tensor/backend/cpu/vnni.h"
#include "tensor/backend/kernels.h"
#include "tensor/base/parallel.h"
#include "tensor/ops.h"
#include "tensor/ops/device.h"
#include "tensor/random.h"
#include "tests/ops/op_case.h"

namespace athanor::test {
namespace {

using Tensors = std::vector<Tensor>;

// A case of an operation that the CPU alone has.
OpCase cpu_case(std::string name, std::vector<CaseInput> inputs,
                std::function<Tensor(const Tensors&)> run) {
  OpCase c = values_case(std::move(name), std::move(inputs), std::move(run));
  c.cpu_only = true;
  return c;
}

CaseInput bytes(const Shape& shape) { return {shape, 0, 255.9, DType::u8, false}; }
CaseInput signed_bytes(const Shape& shape) { return {shape, -127.9, 127.9, DType::i8, false}; }

// Scales from 2^-9 to 2^-7, different for each channel.
Tensor some_scales(std::int64_t channels) {
  Generator g(3);
  return random_uniform({channels}, g, 0.002, 0.008);
}
Tensor some_bias(std::int64_t channels) {
  Generator g(4);
  return random_uniform({channels}, g, -2, 2);
}

QuantizedOutput to_u8(float scale, std::int32_t zero_point, bool relu = false) {
  return {Quantization{scale, zero_point}, relu};
}

// Restores the number of threads and the use of VNNI, also when a check throws.
struct Settings {
  int threads = num_threads();
  ~Settings() {
    set_num_threads(threads);
    cpu::set_vnni(true);
  }
};

bool same_bytes(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  REQUIRE(a.dtype() == b.dtype());
  if (a.dtype() == DType::f32) return a.to_vector<float>() == b.to_vector<float>();
  return a.to_vector<std::uint8_t>() == b.to_vector<std::uint8_t>();
}

// run() by the reference, by the fast kernels with and without VNNI, at 1, 2 and 4 threads. `make`
// packs the weight.
template <class Make, class Run>
void check_exact(const Make& make, const Run& run) {
  const Settings restore;
  Tensor expected;
  {
    UseReferenceKernels reference;
    expected = run(make());
  }
  for (const bool vnni : {true, false}) {
    cpu::set_vnni(vnni);
    const QuantizedWeight weight = make();
    for (const int threads : {1, 2, 4}) {
      INFO("vnni " << vnni << ", threads " << threads);
      set_num_threads(threads);
      CHECK(same_bytes(run(weight), expected));
    }
    cpu::set_vnni(!vnni);  // a weight packed for one serves beside the other
    CHECK(same_bytes(run(weight), expected));
  }
}

Tensor random_bytes(const Shape& shape, std::uint64_t seed) {
  Generator g(seed);
  return cast(random_uniform(shape, g, 0, 256, DType::f64), DType::u8);
}
Tensor random_weight(const Shape& shape, std::uint64_t seed) {
  Generator g(seed);
  return cast(random_uniform(shape, g, -128, 128, DType::f64), DType::i8);
}

struct ConvShape {
  Shape x, w;
  Conv2dOptions options;
  bool pool = false;
};

void check_conv(const ConvShape& c) {
  INFO("x " << c.x << ", w " << c.w << ", stride " << c.options.stride << ", padding "
            << c.options.padding << ", groups " << c.options.groups << ", pool " << c.pool);
  const Tensor x = channels_last(random_bytes(c.x, 1)), w = random_weight(c.w, 2);
  const std::int64_t O = c.w[0];
  const Quantization input{0.02f, 37};
  const auto make = [&] {
    return QuantizedWeight(w, some_scales(O), some_bias(O), input, c.options);
  };
  for (const QuantizedOutput& output :
       {to_u8(0.3f, 120), to_u8(0.2f, 3, true), QuantizedOutput{}, QuantizedOutput{{}, true}}) {
    check_exact(make, [&](const QuantizedWeight& weight) {
      return c.pool ? quantized_conv2d_max_pool2d(x, weight, output)
                    : quantized_conv2d(x, weight, output);
    });
  }
}

}  // namespace

TEST_CASE("quantised operations: cases") {
  const Quantization q{0.03125f, 100};
  for (const DType dtype : {DType::u8, DType::i8}) {
    check_op_case(cpu_case("quantize", {{{3, 4, 5}, -5, 5}}, [=](const Tensors& x) {
      return quantize(cast(x[0], DType::f32), {0.03125f, dtype == DType::u8 ? 100 : -3}, dtype);
    }));
  }
  check_op_case(cpu_case("dequantize", {bytes({3, 4, 5})},
                         [=](const Tensors& x) { return dequantize(x[0], q); }));
  check_op_case(cpu_case("quantize_per_channel", {{{4, 2, 3, 3}}}, [](const Tensors& x) {
    return quantize_per_channel(cast(x[0], DType::f32),
                                full({x[0].rank() > 0 ? x[0].shape()[0] : 1}, 0.0078125));
  }));
  check_op_case(cpu_case("dequantize_per_channel", {signed_bytes({4, 5})}, [](const Tensors& x) {
    return dequantize_per_channel(x[0], full({x[0].rank() > 0 ? x[0].shape()[0] : 1}, 0.5));
  }));
  check_op_case(cpu_case("channel_scales", {{{4, 5}}},
                         [](const Tensors& x) { return channel_scales(cast(x[0], DType::f32)); }));
  check_op_case(
      cpu_case("quantized_linear", {bytes({5, 19}), signed_bytes({7, 19})}, [](const Tensors& x) {
        const std::int64_t O = x[1].rank() > 0 ? x[1].shape()[0] : 1;
        return quantized_linear(x[0], {x[1], some_scales(O), some_bias(O), {0.02f, 11}},
                                to_u8(0.5f, 128));
      }));
  check_op_case(cpu_case(
      "quantized_conv2d", {bytes({2, 3, 6, 5}), signed_bytes({4, 3, 3, 3})}, [](const Tensors& x) {
        const std::int64_t O = x[1].rank() > 0 ? x[1].shape()[0] : 1;
        return quantized_conv2d(
            x[0], {x[1], some_scales(O), some_bias(O), {0.02f, 11}, {.padding = 1}}, {});
      }));
  check_op_case(cpu_case("quantized_conv2d_max_pool2d",
                         {bytes({2, 3, 6, 8}), signed_bytes({4, 3, 3, 3})}, [](const Tensors& x) {
                           const std::int64_t O = x[1].rank() > 0 ? x[1].shape()[0] : 1;
                           return quantized_conv2d_max_pool2d(
                               x[0], {x[1], some_scales(O), {}, {0.02f, 11}, {.padding = 1}},
                               to_u8(0.5f, 7, true));
                         }));
  for (const bool relu : {false, true}) {
    check_op_case(cpu_case(
        "quantized_add", {bytes({2, 3, 4, 5}), bytes({2, 3, 4, 5})}, [relu](const Tensors& x) {
          return quantized_add(x[0], {0.02f, 100}, x[1], {0.013f, 140}, {0.025f, 60}, relu);
        }));
  }
  check_op_case(
      cpu_case("quantized_global_avg_pool2d", {bytes({2, 70, 4, 5})}, [](const Tensors& x) {
        return quantized_global_avg_pool2d(x[0], {0.02f, 100}, {0.015f, 90});
      }));
}

TEST_CASE("quantize rounds halves to even, saturates and puts NaN lowest") {
  const float nan = std::nanf(""), inf = std::numeric_limits<float>::infinity();
  const Tensor x =
      from_values<float>({0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 300, -300, inf, -inf, nan, 1e30f}, {11});
  CHECK(quantize(x, {1, 0}, DType::i8).to_vector<std::int8_t>() ==
        std::vector<std::int8_t>{0, 2, 2, 0, -2, 127, -128, 127, -128, -128, 127});
  CHECK(quantize(x, {1, 10}, DType::u8).to_vector<std::uint8_t>() ==
        std::vector<std::uint8_t>{10, 12, 12, 10, 8, 255, 0, 255, 0, 0, 255});
  const Tensor w = from_values<float>({1, -2, 0.25f, 0, 0, 0}, {2, 3});
  const Tensor scale = channel_scales(w);
  CHECK(scale.to_vector<float>() == std::vector<float>{2.0f / 127, 1});
  CHECK(quantize_per_channel(w, scale).to_vector<std::int8_t>() ==
        std::vector<std::int8_t>{64, -127, 16, 0, 0, 0});
}

TEST_CASE("a value survives within half a step, and a stored one exactly") {
  Generator g(5);
  const Quantization q{0.017f, 93};
  const Tensor x = random_uniform({1000}, g, -1.5, 2.7);
  const Tensor back = dequantize(quantize(x, q), q);
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    // Half a step, and the rounding of two f32 operations.
    CHECK(std::abs(back.data<float>()[i] - x.data<float>()[i]) <= 0.017f / 2 + 1e-6f);
  }
  const Tensor all = cast(arange(256), DType::u8);
  CHECK(same_bytes(quantize(dequantize(all, q), q), all));
}

TEST_CASE("requantisation: known values") {
  // One input 1, so that the sum is the weight; bias in steps of 0.5 * 0.25.
  const QuantizedWeight w(from_values<std::int8_t>({1, 2, 3, -4, 127, -128}, {6, 1}),
                          full({6}, 0.25), full({6}, 0.125), {0.5f, 3});
  CHECK(w.bias().to_vector<std::int32_t>() == std::vector<std::int32_t>(6, 1));
  CHECK(w.offset().to_vector<std::int32_t>() ==
        std::vector<std::int32_t>{-2, -5, -8, 13, -380, 385});
  const Tensor x = from_values<std::uint8_t>({4}, {1, 1});  // real 0.5
  CHECK(quantized_linear(x, w, {}).to_vector<float>() ==
        std::vector<float>{0.25f, 0.375f, 0.5f, -0.375f, 16, -15.875f});
  // Steps of 0.25: 1, 1.5 to 2, 2, -1.5 to -2, 64, -63.5 to -64; zero point 5.
  CHECK(quantized_linear(x, w, to_u8(0.25f, 5)).to_vector<std::uint8_t>() ==
        std::vector<std::uint8_t>{6, 7, 7, 3, 69, 0});
  CHECK(quantized_linear(x, w, to_u8(0.25f, 5, true)).to_vector<std::uint8_t>() ==
        std::vector<std::uint8_t>{6, 7, 7, 5, 69, 5});
}

TEST_CASE("extreme products neither saturate nor wrap") {
  // vpmaddubsw would saturate at 255 * 127 * 2; here 4,097 products of 255 and +-127.
  for (const std::int64_t value : {127, -128}) {
    const Tensor x = full({3, 4097}, 255, DType::u8);
    const Tensor w = full({17, 4097}, static_cast<double>(value), DType::i8);
    check_exact(
        [&] {
          return QuantizedWeight(w, full({17}, 1), {}, {1, 0});
        },
        [&](const QuantizedWeight& weight) { return quantized_linear(x, weight, {}); });
    CHECK(quantized_linear(x, {w, full({17}, 1), {}, {1, 0}}, {}).to_vector<float>()[50] ==
          static_cast<float>(255 * value * 4097));
  }
}

TEST_CASE("linear layers: fast = reference, at every path") {
  for (const std::int64_t rows : {1, 2, 5, 13, 64, 200}) {
    for (const auto& [I, O] : {std::pair{1, 1}, {3, 10}, {4, 16}, {19, 33}, {64, 48}, {130, 150}}) {
      INFO("rows " << rows << ", " << I << " to " << O);
      const Tensor x = random_bytes({rows, I}, 1), w = random_weight({O, I}, 2);
      const auto make = [&, O = O] {
        return QuantizedWeight(w, some_scales(O), some_bias(O), {0.02f, 200});
      };
      for (const QuantizedOutput& output : {to_u8(0.1f, 120, true), QuantizedOutput{}}) {
        check_exact(make, [&](const QuantizedWeight& weight) {
          return quantized_linear(x, weight, output);
        });
      }
    }
  }
  // Large enough to be cut among threads, along outputs as well.
  const Tensor x = random_bytes({8, 1500}, 1), w = random_weight({900, 1500}, 2);
  check_exact(
      [&] {
        return QuantizedWeight(w, some_scales(900), {}, {0.02f, 128});
      },
      [&](const QuantizedWeight& weight) { return quantized_linear(x, weight, to_u8(0.7f, 128)); });
}

TEST_CASE("convolutions: fast = reference, at every path") {
  check_conv({{2, 1, 7, 9}, {5, 1, 3, 3}, {.padding = 1}});
  check_conv({{2, 3, 8, 8}, {16, 3, 3, 3}, {.padding = 1}, true});
  check_conv({{1, 4, 9, 7}, {33, 4, 3, 3}, {}});
  check_conv({{1, 8, 9, 7}, {40, 8, 3, 3}, {.stride = 2, .padding = 1}});
  check_conv({{3, 16, 6, 6}, {70, 16, 1, 1}, {}});
  check_conv({{2, 5, 6, 6}, {20, 5, 1, 1}, {.stride = 2}});
  check_conv({{1, 6, 11, 10}, {7, 6, 5, 3}, {.stride = {2, 1}, .padding = {2, 3}}});
  check_conv({{1, 4, 11, 12}, {9, 4, 3, 3}, {.padding = 2, .dilation = 2}});
  check_conv({{1, 4, 11, 12}, {9, 4, 3, 1}, {.padding = {1, 0}, .dilation = {1, 3}}});
  check_conv({{2, 12, 8, 6}, {10, 6, 3, 3}, {.padding = 1, .groups = 2}, true});
  check_conv({{2, 8, 5, 6}, {40, 4, 1, 2}, {.groups = 2}});
  check_conv({{2, 21, 8, 6}, {21, 1, 3, 3}, {.padding = 1, .groups = 21}});
  check_conv({{2, 32, 8, 6}, {32, 1, 3, 3}, {.padding = 1, .groups = 32}, true});
  check_conv({{1, 16, 9, 9}, {16, 1, 5, 5}, {.stride = 2, .padding = 2, .groups = 16}});
  check_conv({{1, 3, 4, 4}, {6, 1, 3, 3}, {.padding = 1, .groups = 3}});
  check_conv({{17, 2, 6, 6}, {3, 2, 3, 3}, {.padding = 1}, true});
  check_conv({{1, 32, 40, 40}, {64, 32, 3, 3}, {.padding = 1}, true});
}

TEST_CASE("a quantised layer is near the real one") {
  Generator g(8);
  const Tensor x = random_uniform({4, 6, 9, 9}, g, -1, 3), w = random_normal({8, 6, 3, 3}, g);
  const Tensor b = random_normal({8}, g);
  const Conv2dOptions options{.padding = 1};
  const Tensor expected = conv2d(x, w, b, options);
  const Quantization q{4.0f / 255, 64};
  const Tensor scale = channel_scales(w);
  const QuantizedWeight weight(quantize_per_channel(w, scale), scale, b, q, options);
  const Tensor got = quantized_conv2d(quantize(x, q), weight, {});
  // 54 products with errors of half a step each: 54 (|w| sx / 2 + |x| sw / 2) at the very most;
  // random signs leave about its root, of which this is five times the deviation.
  CHECK(amax(abs(sub(got, expected))).item() < 0.5);
  CHECK(mean(abs(sub(got, expected))).item() < 0.06);
}

TEST_CASE("max_pool2d of bytes") {
  const Tensor x = channels_last(random_bytes({2, 5, 7, 6}, 9));
  const Pool2dOptions options{.kernel = 3, .stride = 2, .padding = 1};
  const Tensor y = max_pool2d(x, options);
  CHECK(same_bytes(y, cast(max_pool2d(cast(x, DType::f32), options), DType::u8)));
  UseReferenceKernels reference;
  CHECK(same_bytes(max_pool2d(x, options), y));
}

TEST_CASE("fake_quantize: the values of quantize, gradients straight through") {
  // The derivative of the values is 0 or infinite; the gradient is tested below.
  // Scales are powers of 2, so that each dtype divides exactly, and 16-bit ones hold the results.
  const auto check_values = [](OpCase c) {
    c.gradient = false;
    c.tolerance_f32 = 0.01;
    check_op_case(c);
  };
  for (const DType dtype : {DType::u8, DType::i8}) {
    check_values({"fake_quantize", {{{3, 4, 5}, -5, 5}}, [=](const std::vector<Variable>& x) {
                    return fake_quantize(x[0], {0.03125f, dtype == DType::u8 ? 100 : -3}, dtype);
                  }});
  }
  check_values(
      {"fake_quantize_per_channel", {{{4, 2, 3}, -5, 5}}, [](const std::vector<Variable>& x) {
         const std::int64_t C = x[0].tensor().rank() > 0 ? x[0].shape()[0] : 1;
         return fake_quantize_per_channel(x[0], to(full({C}, 0.03125), x[0].device()));
       }});
  Generator g(6);
  const Tensor x = random_uniform({7, 9, 5, 3}, g, -3, 4);
  const Quantization q{0.0213f, 77};
  CHECK(same_bytes(fake_quantize(x, q).tensor(), dequantize(quantize(x, q), q)));
  CHECK(same_bytes(fake_quantize(x, q, DType::i8).tensor(),
                   dequantize(quantize(x, q, DType::i8), q)));
  const Tensor scale = mul(channel_scales(x), 0.7);
  CHECK(same_bytes(fake_quantize_per_channel(x, scale).tensor(),
                   dequantize_per_channel(quantize_per_channel(x, scale), scale)));
}

TEST_CASE("gradients of fake_quantize are cut where it saturates") {
  using Doubles = std::vector<double>;
  const Variable x(from_values<double>({-1.3, -1.2, 0.3, 1.5, 1.6, 255}, {6}), true);
  const Variable dy(from_values<double>({1, 2, 3, 4, 5, 6}, {6}));
  // Steps round(x / 0.01) + 125 of -5, 5, 155, 275, ... and 0 to 255 are stored.
  const Variable y = fake_quantize(x, {0.01f, 125});
  y.backward(dy);
  CHECK(x.grad().tensor().to_vector<double>() == Doubles{0, 2, 3, 0, 0, 0});
  // A gradient of the gradient: d(dy) = v where kept.
  const Variable g(from_values<double>({1, 1, 1, 1, 1, 1}, {6}), true);
  const Variable again(x.tensor(), true);
  const std::vector<Variable> dx =
      grad({fake_quantize(again, {0.01f, 125})}, {again}, true, false, false, {g});
  sum(dx[0]).backward();
  CHECK(g.grad().tensor().to_vector<double>() == Doubles{0, 1, 1, 0, 0, 0});
  const Variable w(from_values<double>({1.28, -1.27, 2.56, 2.54}, {2, 2}), true);
  fake_quantize_per_channel(w, from_values<float>({0.01f, 0.02f}, {2}))
      .backward(Variable(ones({2, 2}, DType::f64)));
  CHECK(w.grad().tensor().to_vector<double>() == Doubles{0, 1, 0, 1});
  CHECK_THROWS_WITH(fake_quantize(x, {0.01f, 256}), Catch::Contains("[0, 255] for u8, got 256"));
  CHECK_THROWS_WITH(fake_quantize(x, {-1, 0}), Catch::Contains("normal and > 0, got -1"));
  CHECK_THROWS_WITH(fake_quantize(x, {}, DType::i64), Catch::Contains("u8 or i8, got i64"));
  CHECK_THROWS_WITH(fake_quantize_per_channel(w, ones({3})), Catch::Contains("scale [C] f32"));
}

TEST_CASE("what quantised operations refuse") {
  const Tensor x = ones({2, 3}), u = ones({2, 3}, DType::u8), w = ones({4, 3}, DType::i8);
  const Tensor s = ones({4});
  const QuantizedWeight weight(w, s, {}, {});
  const Tensor image = ones({1, 3, 4, 5}, DType::u8);
  const QuantizedWeight filter(ones({4, 3, 3, 3}, DType::i8), s, {}, {});
  using Catch::Contains;
  CHECK_THROWS_WITH(quantize(u, {}), Contains("[quantize] expected dtype f32") && Contains("u8"));
  CHECK_THROWS_WITH(quantize(x, {}, DType::i32), Contains("u8 or i8, got i32"));
  CHECK_THROWS_WITH(quantize(x, {0, 0}), Contains("normal and > 0, got 0"));
  CHECK_THROWS_WITH(quantize(x, {1, 256}), Contains("[0, 255] for u8, got 256"));
  CHECK_THROWS_WITH(quantize(x, {1, 128}, DType::i8), Contains("[-128, 127] for i8, got 128"));
  CHECK_THROWS_WITH(dequantize(x, {}), Contains("[dequantize] expected dtype u8 or i8"));
  CHECK_THROWS_WITH(quantize_per_channel(x, s), Contains("scale [C]") && Contains("[4]"));
  CHECK_THROWS_WITH(channel_scales(full({1}, std::nan(""))), Contains("finite values"));
  CHECK_THROWS_WITH(QuantizedWeight(u, s, {}, {}), Contains("dtype i8 for w"));
  CHECK_THROWS_WITH(QuantizedWeight(w, s, ones({3}), {}), Contains("bias [4]"));
  CHECK_THROWS_WITH(QuantizedWeight(w, s, full({4}, 3e9), {}), Contains("sums below 2^31"));
  CHECK_THROWS_WITH(QuantizedWeight(w, s, {}, {}, {.groups = 3}), Contains("groups that divide"));
  CHECK_THROWS_WITH(QuantizedWeight(w, s, {}, {}, {.relu = true}), Contains("without relu"));
  CHECK_THROWS_WITH(quantized_linear(u, filter, {}), Contains("weight [O, I], got"));
  CHECK_THROWS_WITH(quantized_linear(ones({2, 4}, DType::u8), weight, {}), Contains("[..., 3]"));
  CHECK_THROWS_WITH(quantized_linear(u, weight, to_u8(1, -1)), Contains("got -1"));
  CHECK_THROWS_WITH(quantized_conv2d(image, weight, {}), Contains("weight [O, I / groups"));
  CHECK_THROWS_WITH(quantized_conv2d(u, filter, {}), Contains("x [N, C, H, W]"));
  CHECK_THROWS_WITH(quantized_conv2d_max_pool2d(image, filter, {}), Contains("even height"));
  CHECK_THROWS_WITH(quantized_add(u, {}, ones({3, 2}, DType::u8), {}, {}),
                    Contains("[2, 3] u8") && Contains("[3, 2] u8"));
  CHECK_THROWS_WITH(quantized_add(u, {1e7f, 0}, u, {}, {}), Contains("below 2^20 times"));
  CHECK_THROWS_WITH(quantized_global_avg_pool2d(u, {}, {}), Contains("[N, C, H, W]"));
}

}  // namespace athanor::test
