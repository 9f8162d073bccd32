// Recurrent, convolutional and graph layers, GPT and small networks.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <set>

#include "autograd/ops.h"
#include "nn/conv.h"
#include "nn/gpt.h"
#include "nn/graph.h"
#include "nn/init.h"
#include "nn/patches.h"
#include "nn/recurrent.h"
#include "nn/resnet.h"
#include "nn/text_cnn.h"
#include "tests/nn/layer_case.h"

using namespace athanor;
using namespace athanor::nn;
using namespace athanor::test;

namespace {

template <class M, class... Args>
auto before_generator(Args... args) {
  return [=](Generator& generator) -> std::shared_ptr<Module> {
    return std::make_shared<M>(args..., generator);
  };
}
template <class M, class Options>
auto convolution(std::int64_t in, std::int64_t out, Options options) {
  return [=](Generator& generator) -> std::shared_ptr<Module> {
    return std::make_shared<M>(in, out, 3, generator, options);
  };
}

Graph graph_of(const LayerInputs& x) { return Graph(x[1].tensor(), x[2].tensor(), x[0].size(0)); }

template <class M>
auto along_edges(bool loops) {
  return [=](Module& m, const LayerInputs& x) {
    const Graph graph = graph_of(x);
    return dynamic_cast<M&>(m).propagate(x[0], loops ? graph.with_loops() : graph.edges());
  };
}
Variable gcn(Module& m, const LayerInputs& x) {
  return dynamic_cast<GcnConv&>(m).propagate(x[0], graph_of(x));
}

GatOptions gat(bool concat, bool version2) {
  GatOptions o;
  o.in = o.out = 3;
  o.heads = 2;
  o.concat = concat;
  o.version2 = version2;
  return o;
}

std::shared_ptr<Module> gin(Generator& g) {
  return std::make_shared<GinConv>(
      std::make_shared<Sequential>(std::vector<std::shared_ptr<Module>>{
          std::make_shared<Linear>(3, 5, g), relu_layer(), std::make_shared<Linear>(5, 2, g)}));
}

GptConfig small_gpt(bool llama) {
  GptConfig c;
  c.vocabulary = 11;
  c.context = 6;
  c.width = 8;
  c.layers = 2;
  c.heads = llama ? 4 : 2;
  if (!llama) return c;
  c.key_value_heads = 2;
  c.feed_forward = 12;
  c.rotary = c.gated = true;
  c.bias = false;
  c.norm = NormKind::rms;
  c.norm_eps = 1e-6;
  return c;
}

ResNetOptions small_resnet() {
  ResNetOptions o;
  o.in = 2;
  o.blocks = {1, 1};
  o.widths = {3, 4};
  return o;
}

RecurrentOptions recurrent(std::int64_t layers, bool bidirectional) {
  return {3, 4, layers, bidirectional};
}

Conv2dOptions depthwise() {
  Conv2dOptions o;
  o.padding = 1;
  o.groups = 4;
  return o;
}

ConvTranspose2dOptions strided_transpose() {
  ConvTranspose2dOptions o;
  o.stride = 2;
  o.padding = o.output_padding = 1;
  o.groups = 2;
  return o;
}

}  // namespace

TEST_CASE("recurrent, convolutional and graph layers and GPT agree with PyTorch") {
  const NamedTensors golden = load_golden("layers");
  const std::vector<LayerCase> cases = {
      {"lstm/two_layers", before_generator<Lstm>(recurrent(2, false))},
      {"lstm/bidirectional", before_generator<Lstm>(recurrent(1, true))},
      {"gru/two_layers", before_generator<Gru>(recurrent(2, false))},
      {"gru/bidirectional", before_generator<Gru>(recurrent(1, true))},
      {"conv1d/strided", convolution<Conv1d>(4, 6, Conv1dOptions{2, 1, 1, 1})},
      {"conv1d/dilated_grouped", convolution<Conv1d>(4, 6, Conv1dOptions{1, 0, 2, 2})},
      {"conv2d/depthwise", convolution<Conv2d>(4, 4, depthwise())},
      {"conv_transpose2d/plain", convolution<ConvTranspose2d>(4, 6, ConvTranspose2dOptions{})},
      {"conv_transpose2d/strided_grouped", convolution<ConvTranspose2d>(4, 6, strided_transpose())},
      {"resnet", before_generator<ResNet>(small_resnet())},
      {"gcn", before_generator<GcnConv>(3, 4), gcn},
      {"sage", before_generator<SageConv>(3, 4), along_edges<SageConv>(false)},
      {"gat/concat", before_generator<GatConv>(gat(true, false)), along_edges<GatConv>(true)},
      {"gat/mean", before_generator<GatConv>(gat(false, false)), along_edges<GatConv>(true)},
      {"gat/version2", before_generator<GatConv>(gat(true, true)), along_edges<GatConv>(true)},
      {"gin", gin, along_edges<GinConv>(false)},
      {"gpt/gpt2", before_generator<Gpt>(small_gpt(false))},
      // transformers computes the angles of rotary positions in f32
      {"gpt/llama", before_generator<Gpt>(small_gpt(true)), {}, true, 1e-6},
  };
  for (const LayerCase& layer : cases) check_layer(golden, layer);
  check_all_compared(golden,
                     {"lstm", "gru", "conv1d", "conv2d", "conv_transpose2d", "resnet", "gcn",
                      "sage", "gat", "gin", "gpt"},
                     cases);
}

TEST_CASE("a recurrent state goes on where a sequence was cut") {
  Generator generator(1);
  Lstm lstm(recurrent(2, false), generator);
  const Variable x(random_normal({2, 5, 3}, generator));
  const auto [first, state] = lstm.run(slice(x, 1, 0, 2));
  const auto [rest, last] = lstm.run(slice(x, 1, 2, 5), state);
  CHECK(amax(abs(sub(cat({first, rest}, 1).tensor(), lstm.forward(x).tensor()))).item() <= 1e-6);
  CHECK(last.h.size() == 2);
  CHECK_THROWS_WITH(lstm.forward(zeros({2, 0, 3})), Catch::Contains("L >= 1"));
}

TEST_CASE("a GPT-2 checkpoint goes into Gpt") {
  Generator generator(2);
  Gpt gpt(small_gpt(false), generator);
  StateDict packed;
  for (const auto& [name, value] : gpt.state_dict()) {
    if (name.find("_proj.") != std::string::npos && name.find("attn.c_") == std::string::npos &&
        name.find("mlp") == std::string::npos) {
      continue;
    }
    const bool matrix = value.rank() == 2 && name.starts_with("h.");
    packed.emplace("transformer." + name, matrix ? contiguous(transpose(value)) : value);
  }
  const StateDict own = gpt.state_dict();
  for (const char* layer : {"h.0.attn.", "h.1.attn."}) {
    for (const char* kind : {"weight", "bias"}) {
      std::vector<Tensor> parts;
      for (const char* which : {"q", "k", "v"}) {
        parts.push_back(own.at(str(layer, which, "_proj.", kind)));
      }
      const Tensor joined = cat(parts, 0);
      packed.emplace(str("transformer.", layer, "c_attn.", kind),
                     joined.rank() == 2 ? contiguous(transpose(joined)) : joined);
    }
  }
  packed.emplace("lm_head.weight", own.at("wte.weight"));
  Gpt other(small_gpt(false), generator);
  other.load_state_dict(gpt2_state_dict(packed));
  const Variable ids(from_values<std::int64_t>({1, 2, 3}, {1, 3}));
  CHECK(other.forward(ids).tensor().to_vector<float>() ==
        gpt.forward(ids).tensor().to_vector<float>());
}

TEST_CASE("under SkipInit layers start from zeros and draw nothing") {
  GptConfig config;
  config.vocabulary = 7;
  config.context = 5;
  config.width = 8;
  config.layers = 1;
  config.heads = 2;
  const auto largest_weight = [&](Generator& generator) {
    double largest = 0;
    for (const auto& [name, parameter] : Gpt(config, generator).named_parameters()) {
      if (parameter.rank() > 1) largest = std::max(largest, amax(abs(parameter.tensor())).item());
    }
    return largest;
  };
  Generator generator(3);
  {
    const SkipInit outer;
    { const SkipInit inner; }
    CHECK(largest_weight(generator) == 0);
    CHECK(generator.position() == 0);
  }
  CHECK(largest_weight(generator) > 0);
  CHECK(generator.position() > 0);
}

TEST_CASE("generation by a cache equals generation from the whole text") {
  Generator generator(3);
  Gpt gpt(small_gpt(true), generator);
  for (auto& [name, p] : gpt.named_parameters()) {
    if (p.rank() == 2) Variable(p).set_value(random_normal(p.shape(), generator, 0, 0.5));
  }
  SamplingOptions greedy;
  greedy.temperature = 0;
  std::vector<std::int64_t> text{4, 7};
  const std::vector<std::int64_t> tokens = generate(gpt, text, 10, greedy, generator);
  REQUIRE(tokens.size() == 4);  // the context of 6 is full
  const NoGrad no_grad;
  for (std::int64_t token : tokens) {
    const auto length = static_cast<std::int64_t>(text.size());
    const Tensor logits = gpt.forward(Variable(from_values(text, {1, length}))).tensor();
    CHECK(sample_token(select(select(logits, 0, 0), 0, length - 1), greedy, generator) == token);
    text.push_back(token);
  }
  CHECK_THROWS_WITH(generate(gpt, {}, 1, greedy, generator), Catch::Contains("1 to 5 tokens"));
}

TEST_CASE("sampling follows the probabilities and its limits") {
  Generator generator(4);
  const Tensor logits = log(from_values<double>({0.1, 0.6, 0.3}, {3}));
  std::vector<int> counts(3, 0);
  for (int i = 0; i < 3000; ++i) {
    ++counts[static_cast<std::size_t>(sample_token(logits, {}, generator))];
  }
  // Five standard deviations of a binomial count.
  CHECK(std::abs(counts[0] - 300) < 82);
  CHECK(std::abs(counts[1] - 1800) < 134);
  SamplingOptions two, nucleus;
  two.top_k = 2;
  nucleus.top_p = 0.5;
  for (int i = 0; i < 200; ++i) {
    CHECK(sample_token(logits, two, generator) != 0);
    CHECK(sample_token(logits, nucleus, generator) == 1);
  }
}

TEST_CASE("sampled neighbourhoods hold real edges, at most the fan-out") {
  const Tensor row = from_values<std::int64_t>({0, 0, 0, 0, 1, 2}, {6});
  const Tensor column = from_values<std::int64_t>({1, 2, 3, 4, 5, 5}, {6});
  const Graph graph(row, column, 7);
  std::set<std::pair<std::int64_t, std::int64_t>> edges;
  const auto add_edges = [](const SparsePattern& p, const std::vector<std::int64_t>& name,
                            auto&& add) {
    const auto r = p.row().to_vector<std::int64_t>(), c = p.column().to_vector<std::int64_t>();
    for (std::size_t i = 0; i < r.size(); ++i) {
      add(name[static_cast<std::size_t>(r[i])], name[static_cast<std::size_t>(c[i])]);
    }
  };
  add_edges(graph.edges(), {0, 1, 2, 3, 4, 5, 6}, [&](auto r, auto c) { edges.emplace(r, c); });
  Generator generator(5);
  const Tensor seeds = from_values<std::int64_t>({0, 6}, {2});
  const NeighborSample sample = sample_neighbors(graph.edges(), seeds, {2, 3}, generator);
  const auto nodes = sample.nodes.to_vector<std::int64_t>();
  REQUIRE(sample.layers.size() == 2);
  CHECK(sample.layers[1].rows() == 2);
  CHECK(sample.layers[0].rows() == sample.layers[1].columns());
  CHECK(sample.layers[0].columns() == static_cast<std::int64_t>(nodes.size()));
  CHECK(std::set(nodes.begin(), nodes.end()).size() == nodes.size());
  CHECK(sample.layers[1].size() == 3);  // node 0 has 4 neighbours, node 6 none
  for (std::size_t layer = 0; layer < 2; ++layer) {
    add_edges(sample.layers[layer], nodes, [&](auto r, auto c) { CHECK(edges.contains({r, c})); });
    const auto sizes = sample.layers[layer].by_row().sizes().to_vector<std::int64_t>();
    for (std::int64_t size : sizes) CHECK(size <= (layer == 0 ? 2 : 3));
  }
  // All neighbours: the same result as the whole graph.
  SageConv sage(3, 4, generator);
  const Variable x(random_normal({7, 3}, generator));
  const NeighborSample all = sample_neighbors(graph.edges(), seeds, {100}, generator);
  const Variable part = sage.propagate(index_select(x, 0, all.nodes), all.layers[0]);
  const Variable whole = index_select(sage.propagate(x, graph.edges()), 0, seeds);
  CHECK(amax(abs(sub(part.tensor(), whole.tensor()))).item() <= 1e-6);
  CHECK_THROWS_WITH(sample_neighbors(graph.edges(), seeds, {0}, generator),
                    Catch::Contains("fan-out"));
  CHECK_THROWS_WITH(sage.forward(x), Catch::Contains("needs a graph"));
}

TEST_CASE("graphs are pooled by graph") {
  const Variable x(from_values<float>({1, 2, 3, 4, 5, 6}, {3, 2}));
  const Segments graphs(from_values<std::int64_t>({0, 1, 1}, {3}), 2);
  CHECK(pool_graphs(GraphPooling::sum, x, graphs).tensor().to_vector<float>() ==
        std::vector<float>{1, 2, 8, 10});
  CHECK(pool_graphs(GraphPooling::mean, x, graphs).tensor().to_vector<float>() ==
        std::vector<float>{1, 2, 4, 5});
  CHECK(pool_graphs(GraphPooling::max, x, graphs).tensor().to_vector<float>() ==
        std::vector<float>{1, 2, 5, 6});
}

TEST_CASE("networks have the published sizes and give features of their width") {
  Generator generator(6);
  // He et al. 2016, table 6: 0.27 M parameters for 20 layers with the last layer of 650.
  ResNet resnet20(resnet_options(20, 3), generator);
  CHECK(resnet20.parameter_count() + 650 == 272474);
  CHECK(ResNet(resnet_options(8, 1), generator)
            .forward(random_normal({2, 1, 8, 8}, generator))
            .shape() == Shape{2, 64});
  CHECK_THROWS_WITH(resnet_options(21, 3), Catch::Contains("got 21"));
  PatchOptions patches;
  patches.input = {1, 8, 8};
  patches.width = 16;
  patches.layers = 1;
  const Variable image(random_normal({2, 1, 8, 8}, generator));
  CHECK(VisionTransformer(patches, generator).forward(image).shape() == Shape{2, 16});
  CHECK(MlpMixer(patches, generator).forward(image).shape() == Shape{2, 16});
  patches.patch = 3;
  CHECK_THROWS_WITH(MlpMixer(patches, generator), Catch::Contains("whole patches"));
  TextCnnOptions text;
  text.vocabulary = 9;
  TextCnn cnn(text, generator);
  CHECK(cnn.forward(Variable(zeros({2, 3}, DType::i64))).shape() == Shape{2, 300});
}

TEST_CASE("in evaluation a convolution takes batch norm and ReLU in") {
  Generator g(3);
  Conv2dOptions same;
  same.padding = 1;
  const bool bias = GENERATE(false, true), relu = GENERATE(false, true);
  const auto model = std::make_shared<Sequential>(std::vector<std::shared_ptr<Module>>{
      std::make_shared<Conv2d>(3, 20, 3, g, same, bias), std::make_shared<BatchNorm2d>(20, relu),
      max_pool2d_layer()});
  for (int step = 0; step < 3; ++step) {  // statistics other than 0 and 1
    model->forward(Variable(random_normal({4, 3, 8, 8}, g, 0.5, 2)));
  }
  for (const auto& [name, parameter] : model->named_parameters()) {
    Variable p = parameter;
    p.set_value(random_normal(p.shape(), g));
  }
  model->eval();
  const Variable x(random_normal({2, 3, 8, 8}, g));
  const Tensor apart = model->forward(x).tensor();
  const NoGrad no_grad;
  const Tensor together = model->forward(x).tensor();
  const std::vector<float> a = apart.to_vector<float>(), b = together.to_vector<float>();
  float difference = 0, largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference = std::max(difference, std::abs(a[i] - b[i]));
    largest = std::max(largest, std::abs(a[i]));
  }
  CHECK(difference <= 1e-5F * largest);
  CHECK(largest > 1);
}

TEST_CASE("gradients of the transformer and the mixer on patches, and of the text network") {
  Generator generator(7);
  const auto check = [](Module& module, const Variable& x) {
    module.to(DType::f64);
    check_numerically(module, {x},
                      [](Module& m, const LayerInputs& inputs) { return m.forward(inputs[0]); });
  };
  PatchOptions patches;
  patches.input = {1, 4, 4};
  patches.patch = 2;
  patches.width = 4;
  patches.layers = 1;
  patches.heads = 2;
  const Variable image(random_normal({2, 1, 4, 4}, generator, 0, 1, DType::f64));
  VisionTransformer vit(patches, generator);
  check(vit, image);
  MlpMixer mixer(patches, generator);
  check(mixer, image);
  TextCnnOptions text;
  text.vocabulary = 5;
  text.width = 3;
  text.channels = 2;
  text.kernels = {2, 3};
  text.dropout = 0;
  TextCnn cnn(text, generator);
  check(cnn, Variable(from_values<std::int64_t>({1, 2, 3, 4, 0, 2, 1, 1}, {2, 4})));
}
