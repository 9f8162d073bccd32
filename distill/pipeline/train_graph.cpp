// athanor train on graphs: classes of nodes from a few labelled ones (Kipf & Welling 2017).
#include <cmath>

#include "autograd/ops.h"
#include "data/graph_files.h"
#include "distill/pipeline/train_job.h"
#include "nn/graph_net.h"
#include "nn/metrics.h"
#include "tensor/io/safetensors.h"

namespace athanor::distill {
namespace {

// Rows that add up to 1; rows of zeros stay.
Tensor normalized_rows(const Tensor& x) { return div(x, maximum(sum(x, {1}, true), scalar(1))); }

// The reading of a split that early stopping looks at: accuracy, and the loss among equals.
double reading_of(const Tensor& logits, const Tensor& labels) {
  const auto K = logits.size(1);
  const double accuracy =
      nn::accuracy(nn::confusion_matrix(nn::predicted_classes(logits), labels, K));
  return accuracy - 1e-3 * cross_entropy(Variable(logits), labels).item();
}

class GraphTraining {
 public:
  GraphTraining(TrainJob& job)
      : job_(job),
        set_(load(job.recipe.data.dir)),
        graph_(set_.row, set_.column, set_.nodes),
        features_(normalized_rows(set_.features)) {
    const bool dense = job.recipe.student.model == "sage";
    x_.emplace(dense ? nn::NodeFeatures(Variable(features_)) : nn::NodeFeatures::sparse(features_));
    train_ = nodes_of("train");
    validation_ = nodes_of("val");
    test_ = nodes_of("test");
  }

  nlohmann::json run() {
    const Recipe& r = job_.recipe;
    const bool test = r.evaluate.split == "test";
    job_.begin();
    std::vector<double> accuracies;
    nlohmann::json model;
    for (std::int64_t i = 0; i < r.train.repeats; ++i) {
      const auto net = train(r.seed + static_cast<std::uint64_t>(i));
      model = score(*net, test ? test_ : validation_);
      accuracies.push_back(model.at("accuracy").get<double>());
    }
    double mean = 0, square = 0;
    for (double a : accuracies) mean += a / static_cast<double>(accuracies.size());
    for (double a : accuracies) square += (a - mean) * (a - mean);
    const double n = static_cast<double>(accuracies.size());
    model["accuracy"] = mean;
    return {{"model", model},
            {"evaluated_on",
             {{"split", r.evaluate.split}, {"records", (test ? test_ : validation_).numel()}}},
            {"data",
             {{"train", train_.numel()},
              {"test", test_.numel()},
              {"nodes", graph_.nodes()},
              {"edges", graph_.edges().size() / 2}}},
            {"repeats",
             {{"accuracy", accuracies},
              {"mean", mean},
              {"stddev", n > 1 ? std::sqrt(square / (n - 1)) : 0.0}}}};
  }

 private:
  static data::GraphData load(const std::filesystem::path& directory) {
    return data::load_graph(directory / "nodes.tsv", directory / "edges.tsv");
  }

  std::int64_t classes() const { return static_cast<std::int64_t>(set_.class_names.size()); }

  // The nodes of a split, all of which have a label.
  Tensor nodes_of(const std::string& split) const {
    const auto it = set_.splits.find(split);
    if (it == set_.splits.end()) {
      raise(ErrorKind::bad_input, job_.recipe.data.dir, "/nodes.tsv: expected nodes of split ",
            split, ", found none");
    }
    const Tensor nodes = from_values(it->second, {static_cast<std::int64_t>(it->second.size())});
    if (amin(index_select(set_.labels, 0, nodes)).item() < 0) {
      raise(ErrorKind::bad_input, job_.recipe.data.dir,
            "/nodes.tsv: expected a label of each node "
            "of split ",
            split);
    }
    return nodes;
  }

  std::shared_ptr<nn::GraphNet> train(std::uint64_t seed) {
    const Recipe& r = job_.recipe;
    Generator generator(seed);
    nn::GraphNetOptions o;
    o.layer = r.student.model;
    o.in = x_->width();
    o.classes = classes();
    o.hidden = r.student.hidden;
    o.heads = r.student.heads;
    o.dropout = r.student.dropout;
    auto net = std::make_shared<nn::GraphNet>(o, generator);
    // Kipf & Welling decay the first layer of a GCN only; GAT decays all.
    std::vector<nn::ParameterGroup> groups(2);
    for (const auto& [name, p] : net->named_parameters()) {
      const bool first = name.starts_with("layers.0.") || o.layer.starts_with("gat");
      groups[first ? 0 : 1].parameters.push_back(p);
    }
    groups[1].weight_decay = 0;
    const auto optimizer = make_optimizer(r, std::move(groups));
    const Tensor labels = index_select(set_.labels, 0, train_);
    TrainPlan plan;
    plan.name = str(o.layer, ":", seed);
    plan.steps = r.train.epochs;
    plan.evaluate_every = 1;
    run_training(
        job_, *net, *optimizer, plan,
        [&](std::int64_t, std::int64_t) {
          const Variable logits = net->run(*x_, graph_);
          return cross_entropy(index_select(logits, 0, train_), labels, Variable(),
                               r.train.label_smoothing);
        },
        [&] {
          return reading_of(index_select(net->run(*x_, graph_).tensor(), 0, validation_),
                            index_select(set_.labels, 0, validation_));
        });
    nn::StateDict state = net->state_dict();
    save_safetensors(job_.options.out / "model.safetensors", state,
                     {{"format", "athanor.graph_net"},
                      {"format_version", "1"},
                      {"producer", "athanor"},
                      {"layer", o.layer}});
    return net;
  }

  nlohmann::json score(nn::GraphNet& net, const Tensor& nodes) {
    const NoGrad no_grad;
    net.eval();
    const Tensor logits = index_select(net.run(*x_, graph_).tensor(), 0, nodes);
    const auto counts = nn::confusion_matrix(nn::predicted_classes(logits),
                                             index_select(set_.labels, 0, nodes), classes());
    return {{"params", net.parameter_count()},
            {"accuracy", nn::accuracy(counts)},
            {"f1", nn::macro_f1(counts)},
            {"confusion", counts}};
  }

  TrainJob& job_;
  data::GraphData set_;
  nn::Graph graph_;
  Tensor features_, train_, validation_, test_;
  std::optional<nn::NodeFeatures> x_;
};

}  // namespace

nlohmann::json train_graph(TrainJob& job) {
  if (job.options.device.type != DeviceType::cpu || job.options.precision != DType::f32) {
    raise(ErrorKind::usage, "--device, --precision: data.format graph trains on cpu in f32, got ",
          job.options.device, " and ", job.options.precision);
  }
  return GraphTraining(job).run();
}

}  // namespace athanor::distill
