#include "distill/export/onnx_models.h"

#include <cmath>
#include <limits>
#include <map>

#include "tensor/io/onnx_graph.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/shape.h"

namespace athanor::distill {
namespace {

// A state dict that hands its tensors to a graph as constants.
class Weights {
 public:
  Weights(OnnxGraph& graph, nn::StateDict state) : graph_(graph), state_(std::move(state)) {}

  const Tensor& at(const std::string& name) const {
    const auto found = state_.find(name);
    if (found == state_.end()) fail("onnx", "expected a tensor ", name, " of the model, got none");
    return found->second;
  }
  std::string constant(const std::string& name) { return graph_.constant(name, at(name)); }
  // x weight^T + bias
  std::string linear(const std::string& x, const std::string& name) {
    const std::string weight =
        graph_.constant(name + ".weight^T", transpose(at(name + ".weight"), 0, 1));
    const std::string product = graph_.node("MatMul", {x, weight});
    return graph_.node("Add", {product, constant(name + ".bias")});
  }
  std::string layer_norm(const std::string& x, const std::string& name, double eps) {
    return graph_.node("LayerNormalization",
                       {x, constant(name + ".weight"), constant(name + ".bias")},
                       {{"axis", std::int64_t{-1}}, {"epsilon", eps}});
  }

 private:
  OnnxGraph& graph_;
  nn::StateDict state_;
};

std::string gelu(OnnxGraph& g, const std::string& x) {
  const std::string erf = g.node("Erf", {g.node("Mul", {x, g.number(1 / std::sqrt(2.0))})});
  const std::string half = g.node("Mul", {x, g.number(0.5)});
  return g.node("Mul", {half, g.node("Add", {erf, g.number(1)})});
}

std::string mlp_body(OnnxGraph& g, Weights& w, const nn::ModelSpec& spec, std::string x) {
  x = g.node("Flatten", {x}, {{"axis", std::int64_t{1}}});
  for (std::size_t i = 0; i < spec.hidden.size(); ++i) {
    x = g.node("Relu", {w.linear(x, str("body.", 1 + 2 * i))});
  }
  return x;
}

std::string cnn_body(OnnxGraph& g, Weights& w, std::string x) {
  constexpr double kEps = 1e-5;  // of BatchNorm2d
  for (const int first : {0, 3}) {
    const std::string conv = str("body.", first), norm = str("body.", first + 1);
    x = g.node("Conv", {x, w.constant(conv + ".weight"), w.constant(conv + ".bias")},
               {{"kernel_shape", std::vector<std::int64_t>{3, 3}},
                {"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
    x = g.node("BatchNormalization",
               {x, w.constant(norm + ".weight"), w.constant(norm + ".bias"),
                w.constant(norm + ".running_mean"), w.constant(norm + ".running_var")},
               {{"epsilon", kEps}});
    x = g.node("MaxPool", {g.node("Relu", {x})},
               {{"kernel_shape", std::vector<std::int64_t>{2, 2}},
                {"strides", std::vector<std::int64_t>{2, 2}}});
  }
  x = g.node("Flatten", {x}, {{"axis", std::int64_t{1}}});
  return g.node("Relu", {w.linear(x, "body.7")});
}

// One attention block: [batch, length, width] -> the same, before residual and norm. `mask` is
// added to the scores.
std::string attention(OnnxGraph& g, Weights& w, const nn::BertConfig& c, const std::string& x,
                      const std::string& prefix, const std::string& mask) {
  const std::int64_t head = c.hidden_size / c.num_attention_heads;
  const std::string split = g.integers({0, 0, c.num_attention_heads, head});
  const auto heads = [&](const char* name, std::vector<std::int64_t> order) {
    const std::string projected = w.linear(x, prefix + "self." + name);
    return g.node("Transpose", {g.node("Reshape", {projected, split})}, {{"perm", order}});
  };
  const std::string q = heads("query", {0, 2, 1, 3});
  const std::string k = heads("key", {0, 2, 3, 1});
  const std::string v = heads("value", {0, 2, 1, 3});
  const std::string scale = g.number(1 / std::sqrt(static_cast<double>(head)));
  const std::string scores = g.node("Mul", {g.node("MatMul", {q, k}), scale});
  const std::string weights =
      g.node("Softmax", {g.node("Add", {scores, mask})}, {{"axis", std::int64_t{-1}}});
  const std::string mixed = g.node("Transpose", {g.node("MatMul", {weights, v})},
                                   {{"perm", std::vector<std::int64_t>{0, 2, 1, 3}}});
  const std::string joined = g.node("Reshape", {mixed, g.integers({0, 0, c.hidden_size})});
  return w.linear(joined, prefix + "output.dense");
}

std::string embeddings(OnnxGraph& g, Weights& w, const nn::BertConfig& c) {
  const std::string table = w.constant("embeddings.position_embeddings.weight");
  const std::string length = g.node("Gather", {g.node("Shape", {"input_ids"}), g.integers({1})});
  const std::string positions = g.node("Slice", {table, g.integers({0}), length, g.integers({0})});
  const std::string words =
      g.node("Gather", {w.constant("embeddings.word_embeddings.weight"), "input_ids"});
  const std::string types =
      g.node("Gather", {w.constant("embeddings.token_type_embeddings.weight"), "token_type_ids"});
  const std::string sum = g.node("Add", {g.node("Add", {words, types}), positions});
  return w.layer_norm(sum, "embeddings.LayerNorm", c.layer_norm_eps);
}

}  // namespace

std::string onnx_of_classifier(const nn::Classifier& model) {
  const nn::ModelSpec& spec = model.spec();
  if (spec.model != "mlp" && spec.model != "cnn") {
    raise(ErrorKind::usage, "export to onnx: expected the model mlp or cnn, got ", spec.model);
  }
  OnnxGraph g(spec.model);
  Weights w(g, model.state_dict());
  const std::string batch = "batch";
  g.input("images", DType::f32, {batch, spec.input[0], spec.input[1], spec.input[2]});
  std::string x =
      g.node("Div", {g.node("Sub", {"images", g.number(spec.mean)}), g.number(spec.stddev)});
  x = spec.model == "mlp" ? mlp_body(g, w, spec, x) : cnn_body(g, w, x);
  g.node_as("logits", "Identity", {w.linear(x, "head")});
  g.node_as("probabilities", "Softmax", {"logits"}, {{"axis", std::int64_t{-1}}});
  g.output("logits", DType::f32, {batch, spec.classes});
  g.output("probabilities", DType::f32, {batch, spec.classes});
  for (std::size_t i = 0; i < spec.class_names.size(); ++i) {
    g.metadata(str("class_", i), spec.class_names[i]);
  }
  return g.encode();
}

std::string onnx_of_bert(const nn::Bert& model, bool normalize) {
  const nn::BertConfig& c = model.config();
  OnnxGraph g("bert");
  Weights w(g, model.state_dict());
  const std::string batch = "batch", length = "length";
  for (const char* name : {"input_ids", "attention_mask", "token_type_ids"}) {
    g.input(name, DType::i64, {batch, length});
  }
  std::string x = embeddings(g, w, c);
  const std::string tokens =
      g.node("Cast", {"attention_mask"}, {{"to", std::int64_t{1}}});  // 1: f32
  // 0 at tokens, the lowest float at padding, for all heads and queries.
  const std::string hidden_keys = g.node("Mul", {g.node("Sub", {g.number(1), tokens}),
                                                 g.number(std::numeric_limits<float>::lowest())});
  const std::string mask = g.node("Unsqueeze", {hidden_keys, g.integers({1, 2})});
  for (std::int64_t i = 0; i < c.num_hidden_layers; ++i) {
    const std::string layer = str("encoder.layer.", i, ".");
    const std::string mixed = attention(g, w, c, x, layer + "attention.", mask);
    x = w.layer_norm(g.node("Add", {mixed, x}), layer + "attention.output.LayerNorm",
                     c.layer_norm_eps);
    const std::string inner = gelu(g, w.linear(x, layer + "intermediate.dense"));
    const std::string outer = w.linear(inner, layer + "output.dense");
    x = w.layer_norm(g.node("Add", {outer, x}), layer + "output.LayerNorm", c.layer_norm_eps);
  }
  g.node_as("last_hidden_state", "Identity", {x});
  const std::string weight = g.node("Unsqueeze", {tokens, g.integers({2})});
  const OnnxAttributes keep = {{"keepdims", std::int64_t{0}}};
  const std::string axis = g.integers({1});
  const std::string sum = g.node("ReduceSum", {g.node("Mul", {x, weight}), axis}, keep);
  const std::string count =
      g.node("Max", {g.node("ReduceSum", {weight, axis}, keep), g.number(1e-9)});
  std::string pooled = g.node("Div", {sum, count});
  if (normalize) {
    const std::string norm =
        g.node("ReduceL2", {pooled},
               {{"axes", std::vector<std::int64_t>{1}}, {"keepdims", std::int64_t{1}}});
    pooled = g.node("Div", {pooled, g.node("Max", {norm, g.number(1e-12)})});
  }
  g.node_as("sentence_embedding", "Identity", {pooled});
  g.output("last_hidden_state", DType::f32, {batch, length, c.hidden_size});
  g.output("sentence_embedding", DType::f32, {batch, c.hidden_size});
  return g.encode();
}

}  // namespace athanor::distill
