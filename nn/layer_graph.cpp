#include "nn/layer_graph.h"

#include <charconv>

#include "autograd/ops.h"
#include "nn/resnet.h"

namespace athanor::nn {
namespace {

// Adds layers one behind the other.
class Builder {
 public:
  explicit Builder(const ModelSpec& spec) : shape_(spec.input) {}

  int last() const { return static_cast<int>(graph_.layers.size()) - 1; }

  int linear(const std::string& name, std::int64_t out, bool relu) {
    GraphLayer layer;
    layer.name = name;
    layer.inputs = {last()};
    layer.relu = relu;
    if (shape_.size() == 3) layer.flattened = shape_;
    shape_ = {out};
    return push(std::move(layer));
  }

  // Of kernel x kernel, with padding that keeps the size at stride 1.
  int conv(const std::string& name, const std::string& norm, int input, std::int64_t stride,
           std::int64_t kernel, bool relu, bool pool = false) {
    GraphLayer layer;
    layer.kind = LayerKind::conv2d;
    layer.name = name;
    layer.norm = norm;
    layer.inputs = {input};
    layer.relu = relu;
    layer.pool = pool;
    layer.conv.stride = stride;
    layer.conv.padding = kernel / 2;
    return push(std::move(layer));
  }

  int add(const std::string& name, int a, int b) {
    GraphLayer layer;
    layer.kind = LayerKind::add;
    layer.name = name;
    layer.inputs = {a, b};
    layer.relu = true;
    return push(std::move(layer));
  }

  int global_avg_pool(const std::string& name, std::int64_t channels) {
    GraphLayer layer;
    layer.kind = LayerKind::global_avg_pool2d;
    layer.name = name;
    layer.inputs = {last()};
    shape_ = {channels, 1, 1};
    return push(std::move(layer));
  }

  // What the next linear layer reads.
  void set_shape(const Shape& shape) { shape_ = shape; }
  LayerGraph take() { return std::move(graph_); }

 private:
  int push(GraphLayer layer) {
    graph_.layers.push_back(std::move(layer));
    return last();
  }

  LayerGraph graph_;
  Shape shape_;
};

void add_mlp(const ModelSpec& spec, Builder& b) {
  for (std::size_t i = 0; i < spec.hidden.size(); ++i) {
    b.linear(str("body.", 1 + 2 * i), spec.hidden[i], true);
  }
}

void add_cnn(const ModelSpec& spec, Builder& b) {
  b.conv("body.0", "body.1", -1, 1, 3, true, true);
  b.conv("body.3", "body.4", b.last(), 1, 3, true, true);
  b.set_shape({spec.channels[1], spec.input[1] / 4, spec.input[2] / 4});
  b.linear("body.7", 128, true);
}

void add_resnet(const ModelSpec& spec, Builder& b) {
  const std::string digits = spec.model.substr(std::string_view("resnet").size());
  std::int64_t depth = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), depth);
  if (error != std::errc() || end != digits.data() + digits.size()) {
    raise(ErrorKind::usage, "quantize: expected a depth after resnet, got ", spec.model);
  }
  const ResNetOptions o = resnet_options(depth, spec.input[0]);
  int x = b.conv("body.conv1", "body.bn1", -1, 1, 3, true);
  std::int64_t width = o.widths[0];
  for (std::size_t stage = 0; stage < o.blocks.size(); ++stage) {
    for (std::int64_t i = 0; i < o.blocks[stage]; ++i) {
      const std::string block = str("body.layer", stage + 1, ".", i);
      const std::int64_t out = o.widths[stage], stride = stage > 0 && i == 0 ? 2 : 1;
      const int first = b.conv(block + ".conv1", block + ".bn1", x, stride, 3, true);
      const int second = b.conv(block + ".conv2", block + ".bn2", first, 1, 3, false);
      const bool changes = stride != 1 || width != out;
      const int shortcut =
          changes ? b.conv(block + ".downsample.0", block + ".downsample.1", x, stride, 1, false)
                  : x;
      x = b.add(block + ".add", second, shortcut);
      width = out;
    }
  }
  b.global_avg_pool("body.pool", width);
}

const Tensor& find(const StateDict& state, const std::string& name) {
  const auto it = state.find(name);
  if (it == state.end()) {
    raise(ErrorKind::bad_input, "layer graph: expected a tensor ", name, ", found none");
  }
  return it->second;
}

LayerWeight folded(const GraphLayer& layer, const StateDict& state) {
  LayerWeight result;
  if (layer.kind != LayerKind::linear && layer.kind != LayerKind::conv2d) return result;
  result.weight = find(state, layer.name + ".weight");
  const auto bias = state.find(layer.name + ".bias");
  const std::int64_t O = result.weight.size(0);
  result.bias = bias != state.end() ? bias->second : zeros({O}, result.weight.dtype());
  if (layer.norm.empty()) return result;
  const Tensor scale =
      mul(find(state, layer.norm + ".weight"),
          rsqrt(add(find(state, layer.norm + ".running_var"), BatchNormOptions{}.eps)));
  result.weight = mul(result.weight, reshape(scale, {O, 1, 1, 1}));
  result.bias = add(mul(sub(result.bias, find(state, layer.norm + ".running_mean")), scale),
                    find(state, layer.norm + ".bias"));
  return result;
}

}  // namespace

LayerGraph layer_graph(const ModelSpec& spec) {
  Builder b(spec);
  if (spec.model == "mlp") {
    add_mlp(spec, b);
  } else if (spec.model == "cnn") {
    add_cnn(spec, b);
  } else if (spec.model.starts_with("resnet")) {
    add_resnet(spec, b);
  } else {
    raise(ErrorKind::usage, "quantize: expected a model mlp, cnn or resnetN, got ", spec.model);
  }
  b.linear("head", spec.classes, false);
  return b.take();
}

std::vector<LayerWeight> folded_weights(const LayerGraph& graph, const StateDict& state) {
  std::vector<LayerWeight> weights;
  for (const GraphLayer& layer : graph.layers) weights.push_back(folded(layer, state));
  return weights;
}

Variable run_layer(const GraphLayer& layer, const std::vector<Variable>& inputs,
                   const Variable& weight, const Variable& bias) {
  Variable y;
  switch (layer.kind) {
    case LayerKind::linear:
      y = linear(layer.flattened.empty() ? inputs[0] : flatten(inputs[0]), weight, bias);
      break;
    case LayerKind::conv2d:
      y = conv2d(inputs[0], weight, bias, layer.conv);
      break;
    case LayerKind::add:
      y = inputs[0] + inputs[1];
      break;
    case LayerKind::global_avg_pool2d:
      y = global_avg_pool2d(inputs[0]);
      break;
  }
  if (layer.relu) y = relu(y);
  return layer.pool ? max_pool2d(y) : y;
}

}  // namespace athanor::nn
