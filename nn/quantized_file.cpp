// The file of a quantised model; the names are those of docs/design.md.
#include "nn/init.h"
#include "nn/quantized_model.h"
#include "tensor/io/safetensors.h"
#include "tensor/ops.h"

namespace athanor::nn {
namespace {

constexpr int kFormatVersion = 1;
constexpr const char* kKind = "athanor.quantized_classifier";

void put(NamedTensors& tensors, const std::string& name, const Quantization& q) {
  tensors[name + "_scale"] = from_values<float>({q.scale}, {});
  tensors[name + "_zero_point"] = from_values<std::int32_t>({q.zero_point}, {});
}

// Reads tensors of one file, each checked.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& path)
      : name_(path.string()), contents_(load_safetensors(path)) {}

  std::string metadata(const char* key) const {
    const auto it = contents_.second.find(key);
    if (it == contents_.second.end()) {
      raise(ErrorKind::bad_input, name_, ": expected metadata ", key,
            " of a quantised Athanor model, found none");
    }
    return it->second;
  }
  const Tensor& tensor(const std::string& name, DType dtype, const Shape& shape) const {
    const auto it = contents_.first.find(name);
    if (it == contents_.first.end()) {
      raise(ErrorKind::bad_input, name_, ": expected a tensor ", name, ", found none");
    }
    if (it->second.dtype() != dtype || !(it->second.shape() == shape)) {
      raise(ErrorKind::bad_input, name_, ": ", name, ": expected ", shape, " ", dtype, ", found ",
            describe(it->second));
    }
    return it->second;
  }
  Quantization quantization(const std::string& name) const {
    return {tensor(name + "_scale", DType::f32, {}).data<float>()[0],
            tensor(name + "_zero_point", DType::i32, {}).data<std::int32_t>()[0]};
  }

 private:
  std::string name_;
  std::pair<NamedTensors, SafetensorsMetadata> contents_;
};

}  // namespace

void save_quantized(const std::filesystem::path& path, const QuantizedModel& model) {
  NamedTensors tensors;
  const std::vector<GraphLayer>& layers = model.graph().layers;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::string& name = layers[i].name;
    if (i + 1 < layers.size()) put(tensors, name + ".output", model.outputs()[i]);
    const StoredWeight& w = model.weights()[i];
    if (!w.weight.defined()) continue;
    tensors[name + ".weight"] = w.weight;
    tensors[name + ".weight_scale"] = w.scale;
    tensors[name + ".weight_zero_point"] = from_values<std::int32_t>({0}, {});
    tensors[name + ".bias"] = w.bias;
    const int from = layers[i].inputs[0];
    put(tensors, name + ".input",
        from < 0 ? model.input() : model.outputs()[static_cast<std::size_t>(from)]);
  }
  save_safetensors(path, tensors,
                   {{"format", kKind},
                    {"format_version", std::to_string(kFormatVersion)},
                    {"producer", "athanor"},
                    {"spec", spec_to_json(model.spec())}});
}

bool is_quantized_file(const std::filesystem::path& path) {
  const SafetensorsFile file(path);
  const auto it = file.metadata().find("format");
  return it != file.metadata().end() && it->second == kKind;
}

QuantizedModel load_quantized(const std::filesystem::path& path) {
  const Reader file(path);
  if (file.metadata("format") != kKind) {
    raise(ErrorKind::bad_input, path.string(), ": expected format ", kKind, ", found ",
          file.metadata("format"));
  }
  if (file.metadata("format_version") != std::to_string(kFormatVersion)) {
    raise(ErrorKind::bad_input, path.string(), ": expected format version ", kFormatVersion,
          ", found ", file.metadata("format_version"), "; a newer athanor can read it");
  }
  const ModelSpec spec = spec_from_json(path, file.metadata("spec"));
  StateDict shapes;  // of the f32 model
  {
    const SkipInit skip;
    Generator generator(0);
    shapes = Classifier(spec, generator).state_dict();
  }
  const LayerGraph graph = layer_graph(spec);
  std::vector<StoredWeight> weights;
  std::vector<Quantization> outputs;
  std::optional<Quantization> input;
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    const GraphLayer& layer = graph.layers[i];
    const bool last = i + 1 == graph.layers.size();
    outputs.push_back(last ? Quantization{} : file.quantization(layer.name + ".output"));
    weights.emplace_back();
    if (layer.kind != LayerKind::linear && layer.kind != LayerKind::conv2d) continue;
    const Shape shape = shapes.at(layer.name + ".weight").shape();
    weights.back() = {file.tensor(layer.name + ".weight", DType::i8, shape),
                      file.tensor(layer.name + ".weight_scale", DType::f32, {shape[0]}),
                      file.tensor(layer.name + ".bias", DType::f32, {shape[0]})};
    const Tensor& zero = file.tensor(layer.name + ".weight_zero_point", DType::i32, {});
    if (zero.data<std::int32_t>()[0] != 0) {
      raise(ErrorKind::bad_input, path.string(), ": ", layer.name,
            ".weight_zero_point: expected 0, found ", zero.data<std::int32_t>()[0]);
    }
    const Quantization read = file.quantization(layer.name + ".input");
    const int from = layer.inputs[0];
    if (from < 0 && !input) input = read;
    const Quantization& made = from < 0 ? *input : outputs[static_cast<std::size_t>(from)];
    if (!(read == made)) {
      raise(ErrorKind::bad_input, path.string(), ": ", layer.name, ".input_scale: expected ", made,
            " as the layer before stores its result, found ", read);
    }
  }
  try {
    return QuantizedModel(spec, std::move(weights), *input, std::move(outputs));
  } catch (const Error& error) {
    raise(ErrorKind::bad_input, path.string(), ": ", error.what());
  }
}

}  // namespace athanor::nn
