// athanor quantize: an image classifier in INT8.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/image_model.h"
#include "data/image_formats.h"
#include "distill/pipeline/predict.h"
#include "nn/metrics.h"
#include "tensor/base/parallel.h"
#include "tensor/ops.h"

namespace athanor::cli {
namespace {

struct QuantizeOptions {
  std::string model, data = data::kFashionMnistDirectory, format = "idx", out;
  std::string ranges = "min-max";
  double percentile = 99.99;
  std::int64_t records = 2000;
  bool json = false;
  int threads = 0;
};

nn::CalibrationOptions calibration_of(const QuantizeOptions& o) {
  nn::CalibrationOptions options;
  options.percentile = o.percentile;
  if (o.ranges == "moving-average") options.method = nn::RangeMethod::moving_average;
  if (o.ranges == "percentile") options.method = nn::RangeMethod::percentile;
  return options;
}

// The first `count` images, in batches.
std::vector<Tensor> first_batches(const Tensor& images, std::int64_t count) {
  constexpr std::int64_t kBatch = 250;
  std::vector<Tensor> batches;
  const std::int64_t all = std::min(count, images.size(0));
  for (std::int64_t begin = 0; begin < all; begin += kBatch) {
    batches.push_back(slice(images, 0, begin, std::min(begin + kBatch, all)));
  }
  return batches;
}

void run_quantize(const QuantizeOptions& o) {
  if (o.threads > 0) set_num_threads(o.threads);
  const ImageModel model(o.model, Device{});
  if (model.quantized()) {
    raise(ErrorKind::bad_input, o.model, ": expected an f32 model, found one in INT8");
  }
  const nn::ModelSpec& spec = model.spec();
  data::ImageFormatOptions options;
  options.side = spec.input[1];
  const data::ImageData data = data::load_images(o.format, o.data, options);
  const std::vector<Tensor> batches =
      first_batches(normalised_images(data.train, spec, o.model), o.records);
  const nn::QuantizedModel quantized(nn::calibrate(*model.real(), batches, calibration_of(o)));
  nn::save_quantized(o.out, quantized);

  const Tensor images = normalised_images(data.test, spec, o.model);
  const Tensor before = nn::predicted_classes(model.logits(images));
  const Tensor after = nn::predicted_classes(distill::logits_of(quantized, images));
  const auto accuracy = [&](const Tensor& classes) {
    return nn::accuracy(nn::confusion_matrix(classes, data.test.labels, spec.classes));
  };
  const double agreement = mean(cast(equal(before, after), DType::f64)).item();
  const auto bytes = static_cast<std::int64_t>(std::filesystem::file_size(o.out));
  if (o.json) {
    const nlohmann::json result = {{"accuracy", accuracy(after)},
                                   {"accuracy_f32", accuracy(before)},
                                   {"agreement", agreement},
                                   {"bytes", bytes},
                                   {"bytes_f32", std::filesystem::file_size(o.model)},
                                   {"records", data.test.size()}};
    std::printf("%s\n", result.dump().c_str());
  } else {
    std::printf(
        "%s: %lld bytes\naccuracy %.4f, %.4f in f32; the same class for %.4f of %lld test "
        "images\n",
        o.out.c_str(), static_cast<long long>(bytes), accuracy(after), accuracy(before), agreement,
        static_cast<long long>(data.test.size()));
  }
}

}  // namespace

void add_quantize(CLI::App& app) {
  auto o = std::make_shared<QuantizeOptions>();
  CLI::App* c = app.add_subcommand(
      "quantize",
      "Example: athanor quantize runs/latest/student.safetensors --out student-int8.safetensors\n\n"
      "Writes an image classifier (mlp, cnn, resnetN) in INT8, with the ranges of activations that "
      "training images show, and compares it with the model in f32 on the test images.");
  c->add_option("model", o->model, "Model file (.safetensors)")->required();
  c->add_option("--data", o->data, "Directory of the data set")->capture_default_str();
  c->add_option("--format", o->format, "As the recipe's data.format: idx, cifar, folder, ...")
      ->capture_default_str();
  c->add_option("--out", o->out, "File to write")->required();
  c->add_option("--records", o->records, "Training images that show the ranges")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  c->add_option("--ranges", o->ranges, "What the range of an activation is")
      ->check(CLI::IsMember({"min-max", "moving-average", "percentile"}))
      ->capture_default_str();
  c->add_option("--percentile", o->percentile, "Of --ranges percentile, in (50, 100]")
      ->capture_default_str();
  c->add_flag("--json", o->json, "One JSON object");
  c->add_option("--threads", o->threads, "Threads, 0 = all cores")->check(CLI::NonNegativeNumber);
  c->callback([o] { run_quantize(*o); });
}

}  // namespace athanor::cli
