#include "nn/graph_net.h"

#include "autograd/ops.h"
#include "nn/init.h"

namespace athanor::nn {
namespace {

std::shared_ptr<Module> make_layer(const GraphNetOptions& o, std::int64_t in, std::int64_t out,
                                   bool last, Generator& generator) {
  if (o.layer == "gcn") return std::make_shared<GcnConv>(in, out, generator);
  if (o.layer == "sage") return std::make_shared<SageConv>(in, out, generator);
  if (o.layer != "gat" && o.layer != "gatv2") {
    raise(ErrorKind::usage, "graph layer: expected gcn, sage, gat or gatv2, got ", o.layer);
  }
  GatOptions gat;
  gat.in = in;
  gat.out = out;
  gat.heads = last ? 1 : o.heads;
  gat.dropout = o.dropout;
  gat.version2 = o.layer == "gatv2";
  return std::make_shared<GatConv>(gat, generator);
}

Variable propagate(Module& layer, const NodeFeatures& x, const Graph& graph) {
  if (auto* gcn = dynamic_cast<GcnConv*>(&layer)) return gcn->propagate(x, graph);
  if (auto* gat = dynamic_cast<GatConv*>(&layer)) return gat->propagate(x, graph.with_loops());
  return dynamic_cast<SageConv&>(layer).propagate(x.dense(), graph.edges());
}

}  // namespace

GraphNet::GraphNet(const GraphNetOptions& options, Generator& generator) {
  check_sizes("GraphNet", {options.in, options.classes, options.heads});
  elu_ = options.layer.starts_with("gat");
  std::vector<std::int64_t> widths = options.hidden;
  widths.push_back(options.classes);
  std::int64_t in = options.in;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    const bool last = i + 1 == widths.size();
    layers_.push_back(
        register_module(str("layers.", i), make_layer(options, in, widths[i], last, generator)));
    in = widths[i] * (elu_ && !last ? options.heads : 1);
  }
  dropout_ = register_module("dropout", std::make_shared<Dropout>(options.dropout, generator));
}

Variable GraphNet::forward(const Variable&) {
  fail("GraphNet", "expected run(x, graph): the network needs a graph");
}

Variable GraphNet::run(const NodeFeatures& x, const Graph& graph) {
  NodeFeatures h = x.dropped(*dropout_);
  for (std::size_t i = 0;; ++i) {
    const Variable y = propagate(*layers_[i], h, graph);
    if (i + 1 == layers_.size()) return y;
    h = NodeFeatures(elu_ ? elu(y) : relu(y)).dropped(*dropout_);
  }
}

}  // namespace athanor::nn
