#include "nn/models.h"

#include <charconv>
#include <map>
#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "nn/init.h"
#include "nn/patches.h"
#include "nn/resnet.h"
#include "tensor/io/safetensors.h"

namespace athanor::nn {
namespace {

constexpr int kFormatVersion = 1;
constexpr const char* kKind = "athanor.classifier";

std::shared_ptr<Sequential> mlp_body(const ModelSpec& spec, std::int64_t& width, Generator& g) {
  std::vector<std::shared_ptr<Module>> layers{flatten_layer()};
  width = numel_of(spec.input);
  for (std::int64_t size : spec.hidden) {
    layers.push_back(std::make_shared<Linear>(width, size, g));
    layers.push_back(relu_layer());
    width = size;
  }
  return std::make_shared<Sequential>(std::move(layers));
}

std::shared_ptr<Sequential> cnn_body(const ModelSpec& spec, std::int64_t& width, Generator& g) {
  const std::int64_t H = spec.input[1], W = spec.input[2];
  if (H % 4 != 0 || W % 4 != 0) {
    raise(ErrorKind::usage, "model cnn: expected height and width that are multiples of 4, got ",
          spec.input);
  }
  Conv2dOptions same;
  same.padding = 1;
  width = 128;
  if (spec.channels.size() != 2) {
    raise(ErrorKind::usage, "model cnn: expected 2 numbers of channels, got ",
          spec.channels.size());
  }
  const std::int64_t c1 = spec.channels[0], c2 = spec.channels[1];
  return std::make_shared<Sequential>(std::vector<std::shared_ptr<Module>>{
      std::make_shared<Conv2d>(spec.input[0], c1, 3, g, same),
      std::make_shared<BatchNorm2d>(c1, true), max_pool2d_layer(),
      std::make_shared<Conv2d>(c1, c2, 3, g, same), std::make_shared<BatchNorm2d>(c2, true),
      max_pool2d_layer(), flatten_layer(),
      std::make_shared<Linear>(c2 * (H / 4) * (W / 4), width, g), relu_layer()});
}

std::shared_ptr<Module> resnet_body(const ModelSpec& spec, std::int64_t& width, Generator& g) {
  std::int64_t depth = 0;
  const std::string digits = spec.model.substr(std::string_view("resnet").size());
  const char* end = digits.data() + digits.size();
  const auto [last, error] = std::from_chars(digits.data(), end, depth);
  if (error != std::errc() || last != end) {
    raise(ErrorKind::usage, "model: expected a depth after resnet, got ", spec.model);
  }
  const ResNetOptions options = resnet_options(depth, spec.input[0]);
  width = options.widths.back();
  return std::make_shared<ResNet>(options, g);
}

std::shared_ptr<Module> patch_body(const ModelSpec& spec, std::int64_t& width, Generator& g) {
  PatchOptions options;
  options.input = spec.input;
  options.width = width = spec.width;
  options.layers = spec.layers;
  options.heads = spec.heads;
  options.dropout = spec.dropout;
  if (spec.model == "vit") return std::make_shared<VisionTransformer>(options, g);
  return std::make_shared<MlpMixer>(options, g);
}

std::map<std::string, MakeBody>& registered() {
  static std::map<std::string, MakeBody> models;
  return models;
}

bool is_built_in(const std::string& name) {
  return name == "mlp" || name == "cnn" || name == "vit" || name == "mixer" ||
         name.starts_with("resnet");
}

std::shared_ptr<Module> body_of(const ModelSpec& spec, std::int64_t& width, Generator& g) {
  if (spec.model == "mlp") return mlp_body(spec, width, g);
  if (spec.model == "cnn") return cnn_body(spec, width, g);
  if (spec.model == "vit" || spec.model == "mixer") return patch_body(spec, width, g);
  if (spec.model.starts_with("resnet")) return resnet_body(spec, width, g);
  const auto found = registered().find(spec.model);
  if (found != registered().end()) {
    Body body = found->second(spec, g);
    if (!body.module || body.width < 1) {
      raise(ErrorKind::usage, "model ", spec.model, ": expected a module and its width, got ",
            body.module ? "" : "no module and ", "width ", body.width);
    }
    width = body.width;
    return body.module;
  }
  std::string others;
  for (const auto& [name, make] : registered()) others += ", " + name;
  raise(ErrorKind::usage, "model: expected mlp, cnn, resnetN, vit, mixer", others, "; got ",
        spec.model);
}

nlohmann::json to_json(const ModelSpec& spec) {
  return {{"model", spec.model},     {"input", {spec.input[0], spec.input[1], spec.input[2]}},
          {"hidden", spec.hidden},   {"channels", spec.channels},
          {"width", spec.width},     {"layers", spec.layers},
          {"heads", spec.heads},     {"dropout", spec.dropout},
          {"classes", spec.classes}, {"mean", spec.mean},
          {"stddev", spec.stddev},   {"class_names", spec.class_names}};
}

ModelSpec from_json(const nlohmann::json& json) {
  ModelSpec spec;
  spec.model = json.at("model").get<std::string>();
  const auto input = json.at("input").get<std::vector<std::int64_t>>();
  spec.input = Shape(std::span<const std::int64_t>(input));
  spec.hidden = json.at("hidden").get<std::vector<std::int64_t>>();
  spec.channels = json.value("channels", spec.channels);  // absent before it was a setting
  spec.width = json.value("width", spec.width);
  spec.layers = json.value("layers", spec.layers);
  spec.heads = json.value("heads", spec.heads);
  spec.dropout = json.value("dropout", spec.dropout);
  spec.classes = json.at("classes").get<std::int64_t>();
  spec.mean = json.at("mean").get<double>();
  spec.stddev = json.at("stddev").get<double>();
  spec.class_names = json.at("class_names").get<std::vector<std::string>>();
  return spec;
}

}  // namespace

std::string spec_to_json(const ModelSpec& spec) { return to_json(spec).dump(); }

ModelSpec spec_from_json(const std::filesystem::path& path, const std::string& text) {
  try {
    return from_json(nlohmann::json::parse(text));
  } catch (const nlohmann::json::exception& error) {
    raise(ErrorKind::bad_input, path.string(), ": metadata spec: ", error.what());
  }
}

void register_model(const std::string& name, MakeBody make) {
  if (name.empty() || !make || is_built_in(name) || registered().contains(name)) {
    raise(ErrorKind::usage, "register_model: expected a new name and a function, got '", name, "'",
          make ? "" : " without one");
  }
  registered().emplace(name, std::move(make));
}

std::vector<std::string> registered_models() {
  std::vector<std::string> names;
  for (const auto& [name, make] : registered()) names.push_back(name);
  return names;
}

Classifier::Classifier(const ModelSpec& spec, Generator& generator) : spec_(spec) {
  if (spec.input.size() != 3 || numel_of(spec.input) < 1 || spec.classes < 2) {
    raise(ErrorKind::usage, "model: expected input [C, H, W] and at least 2 classes, got ",
          spec.input, " and ", spec.classes);
  }
  std::int64_t width = 0;
  body_ = body_of(spec, width, generator);
  register_module("body", body_);
  head_ = register_module("head", std::make_shared<Linear>(width, spec.classes, generator));
}

Output Classifier::run(const Variable& x) {
  Output output;
  output.features = body_->forward(x);
  output.logits = head_->forward(output.features);
  return output;
}

void save_classifier(const std::filesystem::path& path, const Classifier& model) {
  save_safetensors(path, model.state_dict(),
                   {{"format", kKind},
                    {"format_version", std::to_string(kFormatVersion)},
                    {"producer", "athanor"},
                    {"spec", spec_to_json(model.spec())}});
}

std::shared_ptr<Classifier> load_classifier(const std::filesystem::path& path) {
  const auto [tensors, metadata] = load_safetensors(path);
  const auto value = [&, &metadata = metadata](const char* key) {
    const auto it = metadata.find(key);
    if (it == metadata.end()) {
      raise(ErrorKind::bad_input, path.string(), ": expected metadata ", key,
            " of an Athanor model, found none");
    }
    return it->second;
  };
  if (value("format") != kKind) {
    raise(ErrorKind::bad_input, path.string(), ": expected format ", kKind, ", found ",
          value("format"));
  }
  if (value("format_version") != std::to_string(kFormatVersion)) {
    raise(ErrorKind::bad_input, path.string(), ": expected format version ", kFormatVersion,
          ", found ", value("format_version"), "; a newer athanor can read it");
  }
  const ModelSpec spec = spec_from_json(path, value("spec"));
  const SkipInit skip;
  Generator generator(0);
  auto model = std::make_shared<Classifier>(spec, generator);
  model->load_state_dict(tensors);
  model->eval();
  return model;
}

}  // namespace athanor::nn
