// Commands that look at files and at the machine: eval, report, doctor.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/device_option.h"
#include "cli/image_model.h"
#include "data/image_formats.h"
#include "distill/report/report.h"
#include "nn/metrics.h"
#include "tensor/backend/cpu/cpu.h"
#include "tensor/backend/cpu/vnni.h"
#include "tensor/base/parallel.h"
#include "tensor/base/version.h"
#include "tensor/devices.h"
#include "tensor/ops.h"

namespace athanor::cli {
namespace {

struct EvalOptions {
  std::string model, data = data::kFashionMnistDirectory, format = "idx", device = "cpu";
  bool json = false;
};

void evaluate(const EvalOptions& o) {
  const std::string& model_file = o.model;
  const Device device = device_of(o.device);
  const ImageModel model(model_file, device);
  const nn::ModelSpec& spec = model.spec();
  data::ImageFormatOptions options;
  options.side = spec.input[1];
  const data::ImageSet test = data::load_images(o.format, o.data, options).test;
  const Tensor logits = model.logits(normalised_images(test, spec, model_file));
  const auto counts =
      nn::confusion_matrix(nn::predicted_classes(logits), test.labels, spec.classes);
  if (o.json) {
    const nlohmann::json result = {{"accuracy", nn::accuracy(counts)},
                                   {"f1", nn::macro_f1(counts)},
                                   {"records", test.size()},
                                   {"confusion", counts}};
    std::printf("%s\n", result.dump().c_str());
  } else {
    std::printf("accuracy %.4f  macro F1 %.4f  on %lld test images\n", nn::accuracy(counts),
                nn::macro_f1(counts), static_cast<long long>(test.size()));
  }
}

void doctor() {
  std::printf("athanor %s\n", kVersion);
  std::printf("instruction set: %s in use, %s detected\n", cpu::name_of(cpu::selected_isa()),
              cpu::name_of(cpu::detected_isa()));
  std::printf("INT8 products: %s\n", cpu::vnni() ? "VNNI" : "without VNNI");
  std::printf("threads: %d\n", num_threads());
  std::printf("devices: cpu\n");
  for (int i = 0; i < device_count(DeviceType::cuda); ++i) {
    std::printf("         cuda:%d, %s\n", i, device_name({DeviceType::cuda, i}).c_str());
  }
  if (device_count(DeviceType::cuda) == 0) std::printf("cuda: %s\n", why_no_cuda().c_str());
  try {
    const data::ImageData data = data::load_image_data(data::kFashionMnistDirectory);
    std::printf("default data: %s, %lld + %lld images\n", data::kFashionMnistDirectory,
                static_cast<long long>(data.train.size()),
                static_cast<long long>(data.test.size()));
  } catch (const Error& error) {
    std::printf("default data: %s\n", error.what());
  }
}

}  // namespace

void add_eval(CLI::App& app) {
  auto o = std::make_shared<EvalOptions>();
  CLI::App* c = app.add_subcommand("eval",
                                   "Example: athanor eval runs/latest/student.safetensors\n\n"
                                   "Accuracy and macro F1 of a model on a test set.");
  c->add_option("model", o->model, "Model file (.safetensors)")->required();
  c->add_option("--data", o->data, "Directory of the data set")->capture_default_str();
  c->add_option("--format", o->format, "As the recipe's data.format: idx, cifar, folder, ...")
      ->capture_default_str();
  add_device_option(*c, o->device);
  c->add_flag("--json", o->json, "One JSON object");
  c->callback([o] { evaluate(*o); });
}

void add_report(CLI::App& app) {
  auto dir = std::make_shared<std::string>();
  CLI::App* c = app.add_subcommand("report",
                                   "Example: athanor report runs/latest\n\n"
                                   "Writes report.html of a run directory anew.");
  c->add_option("run", *dir, "Run directory")->required();
  c->callback([dir] { std::printf("%s\n", distill::write_report(*dir).c_str()); });
}

void add_doctor(CLI::App& app) {
  app.add_subcommand("doctor", "Example: athanor doctor\n\nWhat this build and this machine offer.")
      ->callback([] { doctor(); });
}

}  // namespace athanor::cli
