// athanor predict: classes of images.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/device_option.h"
#include "cli/image_model.h"
#include "data/idx.h"
#include "data/image_file.h"
#include "data/image_set.h"
#include "tensor/base/parallel.h"
#include "tensor/io/npy.h"
#include "tensor/ops.h"

namespace athanor::cli {
namespace {

namespace fs = std::filesystem;

struct PredictOptions {
  std::string model, device = "cpu";
  std::vector<std::string> inputs;
  bool json = false;
  int threads = 0;
};

struct Inputs {
  Tensor pixels;                   // f32 [N, C, H, W] in [0, 1]
  std::vector<std::string> names;  // of the images
};

bool is_picture(const fs::path& path) {
  std::string end = path.extension().string();
  std::transform(end.begin(), end.end(), end.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return end == ".png" || end == ".jpg" || end == ".jpeg";
}

// [N, H, W] or [N, C, H, W] to [N, C, H, W]; u8 counts from 0 to 255.
Tensor as_pixels(const Tensor& images, const nn::ModelSpec& spec, const std::string& file) {
  const Shape expected{images.rank() > 0 ? images.size(0) : 0, spec.input[0], spec.input[1],
                       spec.input[2]};
  const bool fits = (images.rank() == 3 && spec.input[0] == 1) || images.rank() == 4;
  if (!fits || images.numel() != numel_of(expected) || images.size(-1) != spec.input[2] ||
      images.size(-2) != spec.input[1]) {
    raise(ErrorKind::bad_input, file, ": expected images of the model's size ", spec.input,
          ", found ", describe(images));
  }
  if (images.dtype() == DType::u8) return reshape(data::to_unit_floats(images), expected);
  if (images.dtype() != DType::f32) {
    raise(ErrorKind::bad_input, file, ": expected u8, or f32 in [0, 1], found ", images.dtype());
  }
  return reshape(images, expected);
}

Inputs read_one(const fs::path& path, const nn::ModelSpec& spec) {
  Inputs inputs;
  Tensor images;
  if (is_picture(path)) {
    const auto format = spec.input[0] == 1 ? data::PixelFormat::gray : data::PixelFormat::rgb;
    images = data::resize_image(data::load_image(path, format), spec.input[1], spec.input[2]);
    images = reshape(images, {1, images.size(0), images.size(1), images.size(2)});
  } else if (path.extension() == ".npy") {
    images = load_npy(path);
  } else {
    images = data::load_idx(path);
  }
  inputs.pixels = as_pixels(images, spec, path.string());
  for (std::int64_t i = 0; i < inputs.pixels.size(0); ++i) {
    inputs.names.push_back(is_picture(path) ? path.string() : str(path.string(), ":", i));
  }
  return inputs;
}

// Files, and the pictures in folders.
std::vector<fs::path> files_of(const std::vector<std::string>& inputs) {
  std::vector<fs::path> files;
  for (const std::string& input : inputs) {
    if (!fs::is_directory(input)) {
      files.emplace_back(input);
      continue;
    }
    std::vector<fs::path> inside;
    for (const auto& entry : fs::recursive_directory_iterator(input)) {
      if (entry.is_regular_file() && is_picture(entry.path())) inside.push_back(entry.path());
    }
    if (inside.empty()) raise(ErrorKind::bad_input, input, ": expected pictures, found none");
    std::sort(inside.begin(), inside.end());
    files.insert(files.end(), inside.begin(), inside.end());
  }
  return files;
}

void print(const Inputs& inputs, const Tensor& probabilities, const nn::ModelSpec& spec,
           bool json) {
  const std::int64_t classes = probabilities.size(1);
  for (std::size_t i = 0; i < inputs.names.size(); ++i) {
    const float* row = probabilities.data<float>() + static_cast<std::int64_t>(i) * classes;
    const auto best = std::max_element(row, row + classes) - row;
    const auto index = static_cast<std::size_t>(best);
    const std::string label =
        index < spec.class_names.size() ? spec.class_names[index] : std::to_string(best);
    if (json) {
      const nlohmann::json line = {{"input", inputs.names[i]},
                                   {"class", best},
                                   {"label", label},
                                   {"probabilities", std::vector<float>(row, row + classes)}};
      std::printf("%s\n",
                  line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
    } else {
      std::printf("%s\t%s\t%.4f\n", inputs.names[i].c_str(), label.c_str(), row[best]);
    }
  }
}

void run_predict(const PredictOptions& o) {
  if (o.threads > 0) set_num_threads(o.threads);
  const ImageModel model(o.model, device_of(o.device));
  const nn::ModelSpec& spec = model.spec();
  for (const fs::path& file : files_of(o.inputs)) {
    const Inputs inputs = read_one(file, spec);
    if (inputs.names.empty()) continue;
    const Tensor x = mul(add(inputs.pixels, -spec.mean), 1 / spec.stddev);
    print(inputs, contiguous(softmax(model.logits(x), 1)), spec, o.json);
  }
}

}  // namespace

void add_predict(CLI::App& app) {
  auto o = std::make_shared<PredictOptions>();
  CLI::App* c = app.add_subcommand(
      "predict",
      "Example: athanor predict runs/latest/student.safetensors photo.png --json\n\n"
      "Classes of images: PNG and JPEG files and folders of them, IDX files, .npy arrays [N, H, W] "
      "or [N, C, H, W]. One line an image: input, label and probability, or a JSON object.");
  c->add_option("model", o->model, "Model file (.safetensors)")->required();
  c->add_option("inputs", o->inputs, "Images")->required();
  c->add_flag("--json", o->json, "One JSON object a line: input, class, label, probabilities");
  add_device_option(*c, o->device);
  c->add_option("--threads", o->threads, "Threads, 0 = all cores")->check(CLI::NonNegativeNumber);
  c->callback([o] { run_predict(*o); });
}

}  // namespace athanor::cli
