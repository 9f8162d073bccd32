#include "nn/models.h"

#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "nn/model_registry.h"
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

nlohmann::json to_json(const ModelSpec& spec) {
  return {{"model", spec.model},     {"input", {spec.input[0], spec.input[1], spec.input[2]}},
          {"hidden", spec.hidden},   {"channels", spec.channels},
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
  spec.classes = json.at("classes").get<std::int64_t>();
  spec.mean = json.at("mean").get<double>();
  spec.stddev = json.at("stddev").get<double>();
  spec.class_names = json.at("class_names").get<std::vector<std::string>>();
  return spec;
}

ModelSpec parse_spec(const std::filesystem::path& path, const std::string& text) {
  try {
    return from_json(nlohmann::json::parse(text));
  } catch (const nlohmann::json::exception& error) {
    raise(ErrorKind::bad_input, path.string(), ": metadata spec: ", error.what());
  }
}

}  // namespace

Classifier::Classifier(const ModelSpec& spec, Generator& generator) : spec_(spec) {
  if (spec.input.size() != 3 || numel_of(spec.input) < 1 || spec.classes < 2) {
    raise(ErrorKind::usage, "model: expected input [C, H, W] and at least 2 classes, got ",
          spec.input, " and ", spec.classes);
  }
  std::int64_t width = 0;
  if (spec.model == "mlp") {
    body_ = mlp_body(spec, width, generator);
  } else if (spec.model == "cnn") {
    body_ = cnn_body(spec, width, generator);
  } else if (const ModelMaker* maker = find_model(spec.model)) {
    ModelBody made = (*maker)(spec, generator);
    if (!made.module || made.width < 1) {
      raise(ErrorKind::usage, "model ", spec.model,
            ": expected a body and its width from the maker");
    }
    body_ = std::move(made.module);
    width = made.width;
  } else {
    std::string list = "mlp, cnn";
    for (const std::string& name : registered_models()) list += ", " + name;
    raise(ErrorKind::usage, "model: expected one of ", list, "; got ", spec.model);
  }
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
                    {"spec", to_json(model.spec()).dump()}});
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
  const ModelSpec spec = parse_spec(path, value("spec"));
  Generator generator(0);
  auto model = std::make_shared<Classifier>(spec, generator);
  model->load_state_dict(tensors);
  model->eval();
  return model;
}

}  // namespace athanor::nn
