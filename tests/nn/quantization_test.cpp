// Quantised models: what is calibrated, what training sees, and what the integers compute.
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <limits>
#include <thread>

#include "autograd/ops.h"
#include "nn/optim.h"
#include "nn/quantization.h"
#include "nn/quantized_model.h"
#include "tensor/base/parallel.h"
#include "tensor/io/safetensors.h"

namespace athanor::test {
namespace {

using namespace nn;

// Images of noise with a bright square in one of four corners: the class.
struct Corners {
  Tensor x, y;
};
Corners corners(std::int64_t count, std::uint64_t seed, std::int64_t channels) {
  Generator g(seed);
  Corners made{random_normal({count, channels, 12, 12}, g, 0, 0.7), empty({count}, DType::i64)};
  for (std::int64_t n = 0; n < count; ++n) {
    const std::int64_t label = g.next_below(4), top = label / 2 * 7, left = label % 2 * 7;
    made.y.data<std::int64_t>()[n] = label;
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t i = 0; i < 25; ++i) {
        made.x.data<float>()[((n * channels + c) * 12 + top + i / 5) * 12 + left + i % 5] += 1;
      }
    }
  }
  return made;
}

ModelSpec spec_of(const std::string& model) {
  ModelSpec spec;
  spec.model = model;
  spec.input = {model == "cnn" ? 1 : 3, 12, 12};
  spec.hidden = {24, 17};
  spec.channels = {6, 10};
  spec.classes = 4;
  return spec;
}

void train(Module& model, const Corners& data, int steps, double rate) {
  AdamW optimizer(model.parameters());
  model.train();
  for (int step = 0; step < steps; ++step) {
    const std::int64_t first = step * 32 % (data.x.size(0) - 31);
    model.zero_grad();
    cross_entropy(model(slice(data.x, 0, first, first + 32)), slice(data.y, 0, first, first + 32))
        .backward();
    optimizer.step(rate);
  }
  model.eval();
}

std::shared_ptr<Classifier> trained(const std::string& model, const Corners& data) {
  Generator g(11);
  auto classifier = std::make_shared<Classifier>(spec_of(model), g);
  train(*classifier, data, 30, 3e-3);
  return classifier;
}

// The part of rows whose largest value stands in the same column.
double agreement(const Tensor& a, const Tensor& b) {
  return mean(cast(equal(argmax(a, 1), argmax(b, 1)), DType::f64)).item();
}
double accuracy(const Tensor& logits, const Tensor& y) {
  return mean(cast(equal(argmax(logits, 1), y), DType::f64)).item();
}

const std::vector<std::string> kModels = {"mlp", "cnn", "resnet8"};

Corners training_data(const std::string& model) { return corners(512, 1, model == "cnn" ? 1 : 3); }
Corners test_data(const std::string& model) { return corners(2000, 2, model == "cnn" ? 1 : 3); }

std::vector<Tensor> batches_of(const Corners& data) {
  return {slice(data.x, 0, 0, 256), slice(data.x, 0, 256, 512)};
}

std::filesystem::path scratch_file(const char* name) {
  return std::filesystem::temp_directory_path() / str("athanor_", name, ".safetensors");
}

}  // namespace

TEST_CASE("the layer graph computes what the classifier computes") {
  for (const std::string& name : kModels) {
    INFO(name);
    const Corners data = training_data(name);
    const auto model = trained(name, data);
    const CalibratedModel calibrated = calibrate(*model, batches_of(data));
    const Tensor x = slice(data.x, 0, 0, 64);
    const InferenceMode inference;
    std::vector<Variable> results;
    for (std::size_t i = 0; i < calibrated.graph.layers.size(); ++i) {
      const GraphLayer& layer = calibrated.graph.layers[i];
      std::vector<Variable> inputs;
      for (const int from : layer.inputs) {
        inputs.push_back(from < 0 ? Variable(x) : results[static_cast<std::size_t>(from)]);
      }
      results.push_back(
          run_layer(layer, inputs, calibrated.weights[i].weight, calibrated.weights[i].bias));
    }
    // Folding batch norm rounds each weight once more.
    const Tensor expected = model->forward(x).tensor();
    CHECK(amax(abs(sub(results.back().tensor(), expected))).item() <=
          1e-5 * amax(abs(expected)).item());
  }
}

TEST_CASE("the integer engine is within one step a layer of the fake-quantised model") {
  for (const std::string& name : kModels) {
    INFO(name);
    const Corners data = training_data(name), test = test_data(name);
    const auto model = trained(name, data);
    const CalibratedModel calibrated = calibrate(*model, batches_of(data));
    FakeQuantizedModel fake(calibrated);
    fake.eval();
    const QuantizedModel integer(calibrated);
    const InferenceMode inference;
    const Tensor input = integer.quantized_input(test.x);
    std::vector<Tensor> results;
    std::int64_t off_by_one = 0, elements = 0;
    for (std::size_t i = 0; i < calibrated.graph.layers.size(); ++i) {
      INFO("layer " << calibrated.graph.layers[i].name);
      std::vector<Tensor> inputs;
      std::vector<Variable> real;
      for (const int from : calibrated.graph.layers[i].inputs) {
        const auto at = static_cast<std::size_t>(from);
        inputs.push_back(from < 0 ? input : results[at]);
        real.emplace_back(
            dequantize(inputs.back(), from < 0 ? calibrated.input : calibrated.outputs[at]));
      }
      const Tensor got = integer.run_one(i, inputs);
      const Tensor expected = fake.run_one(i, real).tensor();
      results.push_back(got);
      if (i + 1 == calibrated.graph.layers.size()) {
        // Logits in f32: roundings of f32 sums, and the bias in steps of 2^-31 of the sums' range.
        CHECK(amax(abs(sub(got, expected))).item() <= 1e-3 * amax(abs(expected)).item());
        continue;
      }
      const Tensor steps = abs(
          sub(cast(got, DType::f32), cast(quantize(expected, calibrated.outputs[i]), DType::f32)));
      CHECK(amax(steps).item() <= 1);
      off_by_one += static_cast<std::int64_t>(sum(steps).item());
      elements += steps.numel();
    }
    // The engine's bias is a whole number of sums' steps, of which a result's step holds hundreds,
    // and f32 rounds sums: few values lie so near the middle between two steps.
    CHECK(off_by_one <= elements / 200);
    const Tensor logits = integer.forward(test.x);
    CHECK(agreement(logits, fake.forward(test.x).tensor()) >= 0.999);
    const double real = accuracy(model->forward(test.x).tensor(), test.y);
    INFO("accuracy " << real << " in f32");
    CHECK(real > 0.8);
    CHECK(accuracy(logits, test.y) >= real - 0.01);
  }
}

TEST_CASE(
    "a quantised model has the same bits at every number of threads, and on several at once") {
  const Corners data = training_data("resnet8");
  const QuantizedModel integer(calibrate(*trained("resnet8", data), batches_of(data)));
  const Tensor x = slice(data.x, 0, 0, 50);
  const int before = num_threads();
  set_num_threads(1);
  const std::vector<float> expected = integer.forward(x).to_vector<float>();
  for (const int threads : {2, 4}) {
    set_num_threads(threads);
    CHECK(integer.forward(x).to_vector<float>() == expected);
  }
  set_num_threads(before);
  std::vector<std::vector<float>> results(3);
  std::vector<std::thread> workers;
  for (auto& result : results) {
    workers.emplace_back([&] { result = integer.forward(x).to_vector<float>(); });
  }
  for (std::thread& worker : workers) worker.join();
  for (const auto& result : results) CHECK(result == expected);
}

TEST_CASE("quantisation-aware training learns, and its integers are those of the engine") {
  const Corners data = training_data("cnn"), test = test_data("cnn");
  const auto model = trained("cnn", data);
  CalibratedModel calibrated = calibrate(*model, batches_of(data));
  // A far too wide range, as an outlier makes it, costs accuracy; training brings it back.
  for (Quantization& q : calibrated.outputs) q.scale *= 40;
  FakeQuantizedModel fake(calibrated);
  const auto loss = [&] {
    const NoGrad no_grad;
    fake.eval();
    return cross_entropy(fake.forward(test.x), test.y).item();
  };
  const double before = loss();
  train(fake, data, 60, 2e-3);
  const double after = loss();
  INFO("loss " << before << " before, " << after << " after");
  CHECK(after < 0.7 * before);
  const CalibratedModel moved = fake.calibrated();
  CHECK(moved.outputs[0].scale < calibrated.outputs[0].scale);
  const QuantizedModel integer(moved);
  const InferenceMode inference;
  CHECK(agreement(integer.forward(test.x), fake.forward(test.x).tensor()) >= 0.999);
}

TEST_CASE("a quantised file holds what the model is") {
  for (const std::string& name : kModels) {
    INFO(name);
    const Corners data = training_data(name);
    const QuantizedModel model(calibrate(*trained(name, data), batches_of(data)));
    const auto path = scratch_file("quantized");
    save_quantized(path, model);
    const QuantizedModel back = load_quantized(path);
    const Tensor x = slice(data.x, 0, 0, 40);
    CHECK(back.forward(x).to_vector<float>() == model.forward(x).to_vector<float>());
    CHECK(back.weight_bytes() == model.weight_bytes());
    const SafetensorsFile file(path);
    CHECK(file.entries().at("head.weight").dtype == DType::i8);
    CHECK(file.entries().at("head.weight_scale").shape == Shape{4});
    for (const char* tensor :
         {"head.weight_zero_point", "head.input_scale", "head.input_zero_point", "head.bias"}) {
      CHECK(file.contains(tensor));
    }
    std::filesystem::remove(path);
  }
}

TEST_CASE("a file that is no quantised model is refused") {
  const Corners data = training_data("mlp");
  const QuantizedModel model(calibrate(*trained("mlp", data), batches_of(data)));
  const auto path = scratch_file("refused");
  save_quantized(path, model);
  const auto [tensors, metadata] = load_safetensors(path);
  const auto message = [&, &metadata = metadata](const NamedTensors& t,
                                                 SafetensorsMetadata changed = {}) {
    if (changed.empty()) changed = metadata;
    save_safetensors(path, t, changed);
    try {
      load_quantized(path);
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::bad_input);
      return std::string(error.what());
    }
    return std::string("no error");
  };
  using Catch::Contains;
  CHECK(message(tensors) == "no error");
  NamedTensors other = tensors;
  other.erase("body.1.weight_scale");
  CHECK_THAT(message(other), Contains("body.1.weight_scale, found none"));
  other = tensors;
  other["head.weight"] = zeros({4, 3}, DType::i8);
  CHECK_THAT(message(other), Contains("head.weight: expected [4, 17] i8, found [4, 3] i8"));
  other = tensors;
  other["head.weight"] = zeros({4, 17});
  CHECK_THAT(message(other), Contains("found [4, 17] f32"));
  other = tensors;
  other["head.input_zero_point"] = from_values<std::int32_t>({9}, {});
  CHECK_THAT(message(other), Contains("head.input_scale") && Contains("zero point 9"));
  other = tensors;
  other["head.weight_zero_point"] = from_values<std::int32_t>({1}, {});
  CHECK_THAT(message(other), Contains("expected 0, found 1"));
  other = tensors;
  other["head.weight_scale"] = full({4}, std::numeric_limits<double>::infinity());
  CHECK_THAT(message(other), Contains("normal and > 0, got inf"));
  SafetensorsMetadata kind = metadata;
  kind["format"] = "athanor.classifier";
  CHECK_THAT(message(tensors, kind), Contains("athanor.quantized_classifier, found athanor.c"));
  kind = metadata;
  kind["format_version"] = "2";
  CHECK_THAT(message(tensors, kind), Contains("version 1, found 2"));
  kind = metadata;
  kind["spec"] = "{";
  CHECK_THAT(message(tensors, kind), Contains("metadata spec"));
  kind.erase("spec");
  CHECK_THAT(message(tensors, kind), Contains("metadata spec of a quantised"));
  std::filesystem::remove(path);
}

TEST_CASE("ranges hold 0 and zero points are whole") {
  const Quantization relu = range_quantization(0, 5.1);
  CHECK(relu.scale == Approx(0.02f));
  CHECK(relu.zero_point == 0);
  CHECK(range_quantization(2, 5.1) == relu);
  CHECK(range_quantization(-1, 1.55) == Quantization{0.01f, 100});
  CHECK(range_quantization(-2.55, -1) == Quantization{0.01f, 255});
  CHECK(range_quantization(0, 0) == Quantization{});
  CHECK_THROWS_WITH(range_quantization(0, NAN), Catch::Contains("finite range"));
  CHECK_THROWS_WITH(range_quantization(1, 0), Catch::Contains("got [1, 0]"));
}

TEST_CASE("calibration: minimum and maximum, moving average, percentile") {
  ModelSpec spec = spec_of("mlp");
  spec.input = {1, 10, 100};
  Generator g(2);
  const Classifier model(spec, g);
  // 1, 2, ..., 1000, and ten times that.
  const Tensor ramp = reshape(arange(1000, DType::f32, 1, 1), {1, 1, 10, 100});
  const std::vector<Tensor> batches = {ramp, mul(ramp, 10.0)};
  const auto top = [&](const CalibrationOptions& o) {
    const Quantization q = calibrate(model, batches, o).input;
    return 255 * double(q.scale);
  };
  CHECK(top({}) == Approx(10000));
  CHECK(top({RangeMethod::moving_average, 0.1}) == Approx(1000 + 0.1 * 9000));
  CHECK(top({RangeMethod::percentile, 0.1, 99}) == Approx((990 + 9900) / 2.0));
  CHECK_THROWS_WITH(calibrate(model, {}), Catch::Contains("at least one batch"));
  CHECK_THROWS_WITH(top({RangeMethod::percentile, 0.1, 50}), Catch::Contains("(50, 100], got 50"));
  CHECK_THROWS_WITH(top({RangeMethod::moving_average, 0}), Catch::Contains("(0, 1], got 0"));
  spec = spec_of("cnn");
  spec.model = "vit";
  Generator other(1);
  CHECK_THROWS_WITH(calibrate(Classifier(spec, other), batches),
                    Catch::Contains("mlp, cnn or resnetN, got vit"));
}

TEST_CASE("a bias that would not fit raises its channel's scale") {
  const Tensor weight = from_values<float>({1e-9f, 1}, {2, 1}), bias = full({2}, 3.0);
  const Quantization input{0.01f, 0};
  const Tensor scale = weight_scales(weight, bias, input);
  CHECK(scale.data<float>()[0] == Approx(3.0 / 0x1p30 / 0.01));
  CHECK(scale.data<float>()[1] == Approx(1.0 / 127));
  const QuantizedWeight packed(quantize_per_channel(weight, scale), scale, bias, input);
  const Tensor y = quantized_linear(zeros({1, 1}, DType::u8), packed, {});
  CHECK(y.data<float>()[0] == Approx(3).epsilon(1e-6));
}

TEST_CASE("images of another size are refused") {
  const Corners data = training_data("mlp");
  const QuantizedModel model(calibrate(*trained("mlp", data), batches_of(data)));
  CHECK_THROWS_WITH(model.forward(ones({2, 3, 12, 11})),
                    Catch::Contains("[N, 3, 12, 12] f32, got [2, 3, 12, 11]"));
  CHECK(model.forward(ones({0, 3, 12, 12})).shape() == Shape{0, 4});
}

}  // namespace athanor::test
