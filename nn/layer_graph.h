// An image classifier as a list of layers with its batch norms folded in: what quantisation reads.
#pragma once

#include <string>
#include <vector>

#include "nn/models.h"
#include "tensor/ops/conv2d.h"

namespace athanor::nn {

enum class LayerKind { linear, conv2d, add, global_avg_pool2d };

// One layer of a LayerGraph. Its ReLU and its pooling follow in this order.
struct GraphLayer {
  LayerKind kind = LayerKind::linear;
  std::string name;         // of its tensors in files: "body.layer1.0.conv1"
  std::string norm;         // of the batch norm behind a convolution; empty: none
  std::vector<int> inputs;  // layers by index, before this one; -1: the model's input
  bool relu = false;
  bool pool = false;        // conv2d: max_pool2d over 2 x 2
  Conv2dOptions conv = {};  // conv2d: without relu
  Shape flattened = {};     // linear: [C, H, W] of an input that is an image, else empty
};

struct LayerGraph {
  std::vector<GraphLayer> layers;  // the last one gives the logits
};

// The layers of mlp, cnn and resnetN. Throws Error(usage) for another model.
LayerGraph layer_graph(const ModelSpec& spec);

// Of a linear layer [O, I], [O]; of a convolution [O, I, kH, kW], [O]; of another layer undefined.
struct LayerWeight {
  Tensor weight, bias;
};

// The weights of each layer, with batch norms folded in by their running statistics (Jacob et al.
// 2018, section 3.2): w gamma / sqrt(variance + eps), and beta + (b - mean) gamma / sqrt(variance +
// eps); zeros where a layer has no bias. Throws Error(bad_input) for a tensor that is missing.
std::vector<LayerWeight> folded_weights(const LayerGraph& graph, const StateDict& state);

// The result of layer `i` in f32 with gradients: inputs in the layer's order, weight and bias as
// given. What the integer layer approximates.
Variable run_layer(const GraphLayer& layer, const std::vector<Variable>& inputs,
                   const Variable& weight, const Variable& bias);

}  // namespace athanor::nn
