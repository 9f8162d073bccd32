// Training steps: gradients to zero, forward, loss, backward, AdamW.
#include <fstream>

#include "autograd/autocast.h"
#include "autograd/ops.h"
#include "cli/bench/bench.h"
#include "cli/bench/models.h"
#include "nn/graph.h"
#include "nn/optim.h"
#include "tensor/captured_step.h"
#include "tensor/ops/device.h"

namespace athanor::cli::bench {
namespace {

constexpr double kRate = 1e-3;

// Class numbers, i64 [n].
Tensor labels(std::int64_t n, std::int64_t classes, Generator& generator) {
  Tensor t = empty({n}, DType::i64);
  for (std::int64_t i = 0; i < n; ++i) {
    t.data<std::int64_t>()[i] = generator.next_below(classes);
  }
  return t;
}

Tensor tokens(std::int64_t B, std::int64_t T, std::int64_t vocabulary, Generator& generator) {
  return reshape(labels(B * T, vocabulary, generator), {B, T});
}

// Multiply-adds of the forward pass: all, and those of them whose left side is data.
struct Macs {
  double all, on_data = 0;
};

// As many again for the weights' gradients, and for those of the inputs but where these are data.
Work training_work(Macs macs) {
  Work work;
  work.flops = 2 * (3 * macs.all - macs.on_data);
  return work;
}

// The loss of inputs.
using LossFn = std::function<Variable(const std::vector<Tensor>& inputs)>;

// Times zero grad, forward, backward and `after`, the optimiser's step. On a GPU a second row
// replays forward and backward as one captured graph.
void time_steps(const Bench& bench, const std::string& name, const std::string& variant,
                const Work& work, std::vector<Variable> parameters,
                const std::vector<Tensor>& inputs, const LossFn& loss,
                const std::function<void()>& after, std::int64_t repeats) {
  bench.time(
      name, variant, work,
      [&] {
        for (Variable& p : parameters) p.zero_grad();
        loss(inputs).backward();
        after();
      },
      repeats);
  if (bench.device().type == DeviceType::cpu) return;
  CapturedStep captured([&](const std::vector<Tensor>& in) {
    std::vector<Tensor> gradients;
    for (const Variable& g : grad({loss(in)}, parameters)) gradients.push_back(g.tensor());
    return gradients;
  });
  bench.time(
      name, variant + "+graph", work,
      [&] {
        const std::vector<Tensor> gradients = captured(inputs);
        for (std::size_t i = 0; i < parameters.size(); ++i) {
          parameters[i].set_grad(Variable(gradients[i]));
        }
        after();
      },
      repeats);
}

// A model's training step with AdamW; `low` is what Autocast computes products in.
void time_training(const Bench& bench, const std::string& name, nn::Module& model, const Tensor& x,
                   const Tensor& y, Macs macs, std::int64_t repeats = 0, DType low = DType::f32) {
  model.to(bench.device());
  nn::AdamW optimizer(model.parameters());
  const auto loss = [&](const std::vector<Tensor>& in) {
    const Autocast scope(low);
    return cross_entropy(model.forward(Variable(in[0])), in[1]);
  };
  time_steps(
      bench, name, std::string(name_of(low)), training_work(macs), model.parameters(),
      {to(x, bench.device()), to(y, bench.device())}, loss, [&] { optimizer.step(kRate); },
      repeats);
}

void mlp_train(const Bench& bench) {
  Generator g(0);
  time_training(bench, "mlp_train", *mlp({784, 256, 10}, g), random_normal({128, 784}, g),
                labels(128, 10, g), {128.0 * (784 * 256 + 256 * 10), 128.0 * 784 * 256}, 100);
}

void mlp1200_train(const Bench& bench) {
  Generator g(0);
  time_training(bench, "mlp1200_train", *mlp({784, 1200, 1200, 10}, g),
                random_normal({128, 784}, g), labels(128, 10, g),
                {128.0 * (784 * 1200 + 1200 * 1200 + 1200 * 10), 128.0 * 784 * 1200}, 40);
}

void cnn_train(const Bench& bench) {
  Generator g(0);
  const double first = 784.0 * 9 * 32;
  const double macs = first + 196.0 * 9 * 32 * 64 + 3136.0 * 128 + 1280;
  time_training(bench, "cnn_train", *cnn(g), random_normal({128, 1, 28, 28}, g), labels(128, 10, g),
                {128 * macs, 128 * first});
}

void resnet8_train(const Bench& bench) {
  Generator g(0);
  const double stage1 = 1024.0 * 9 * (3 * 16 + 2 * 16 * 16);
  const double stage2 = 256.0 * (9 * (16 * 32 + 32 * 32) + 16 * 32);
  const double stage3 = 64.0 * (9 * (32 * 64 + 64 * 64) + 32 * 64);
  time_training(bench, "resnet8_train", *resnet8(g), random_normal({64, 3, 32, 32}, g),
                labels(64, 10, g),
                {64 * (stage1 + stage2 + stage3 + 640), 64.0 * 1024 * 9 * 3 * 16});
}

// Multiply-adds of one transformer layer for one sequence of T tokens, each of which sees `seen` of
// them on average.
double layer_macs(double T, double D, double hidden, double seen) {
  return T * (4 * D * D + 2 * D * hidden) + 2 * T * seen * D;
}

void train_encoder(const Bench& bench, const std::string& name, DType low) {
  Generator g(0);
  const Tensor x = tokens(32, 64, 8000, g);
  time_training(bench, name, *encoder(g), x, labels(32, 2, g),
                {32 * 2 * layer_macs(64, 256, 1024, 64)}, 0, low);
}
void encoder_train(const Bench& bench) { train_encoder(bench, "encoder_train", DType::f32); }
void encoder_train_bf16(const Bench& bench) {
  train_encoder(bench, "encoder_train_bf16", DType::bf16);
}

void gpt_train(const Bench& bench) {
  Generator g(0);
  const Tensor x = tokens(12, 128, 65, g);
  time_training(bench, "gpt_train", *gpt(g), x, labels(12 * 128, 65, g),
                {12 * (4 * layer_macs(128, 128, 512, 64.5) + 128.0 * 128 * 65)});
}

// The normalised adjacency matrix of Cora with self loops: D^-1/2 (A + I) D^-1/2.
struct Graph {
  SparsePattern pattern;
  Tensor values;
};

constexpr std::int64_t kCoraNodes = 2708;

Graph read_cora(const std::filesystem::path& data, Device device) {
  const auto path = data / "planetoid" / "cora_text" / "edges.tsv";
  std::ifstream file(path);
  if (data.empty() || !file) {
    raise(ErrorKind::bad_input, "gcn_train: expected the edges of Cora in --data at ",
          path.string(), ", found no such file");
  }
  std::vector<std::int64_t> from, to;
  std::int64_t a = 0, b = 0;
  while (file >> a >> b) {
    if (a < 0 || b < 0 || a >= kCoraNodes || b >= kCoraNodes) {
      raise(ErrorKind::bad_input, path.string(), ": expected nodes in [0, ", kCoraNodes,
            "), found ", a, " and ", b);
    }
    from.insert(from.end(), {a, b});
    to.insert(to.end(), {b, a});
  }
  if (!file.eof()) raise(ErrorKind::bad_input, path.string(), ": expected two numbers a line");
  for (std::int64_t i = 0; i < kCoraNodes; ++i) {
    from.push_back(i);
    to.push_back(i);
  }
  const auto n = static_cast<std::int64_t>(to.size());
  const Tensor row = athanor::to(from_values(to, {n}), device);
  const Tensor column = athanor::to(from_values(from, {n}), device);
  const Tensor degree = index_add(ones({n}, DType::f32, device), 0, row, kCoraNodes);
  const Tensor scale = rsqrt(degree);
  Tensor values = mul(index_select(scale, 0, row), index_select(scale, 0, column));
  return {SparsePattern(row, column, kCoraNodes, kCoraNodes), values};
}

void gcn_train(const Bench& bench) {
  const Graph graph = read_cora(bench.settings().data, bench.device());
  Generator g(0);
  constexpr std::int64_t kFeatures = 1433, kHidden = 16, kClasses = 7;
  const auto placed = [&](const Tensor& t) { return to(t, bench.device()); };
  const Tensor x = cast(random_bernoulli({kCoraNodes, kFeatures}, g, 0.0127), DType::f32);
  const Tensor y = labels(kCoraNodes, kClasses, g);
  const Variable w1(placed(random_normal({kFeatures, kHidden}, g, 0, 0.03)), true);
  const Variable w2(placed(random_normal({kHidden, kClasses}, g, 0, 0.2)), true);
  nn::AdamW optimizer({w1, w2});
  const Variable values(graph.values);
  const double edges = static_cast<double>(graph.values.numel());
  const auto flops = [&](double features) {
    const double on_data = features * kHidden;
    return training_work(
        {on_data + kCoraNodes * kHidden * kClasses + edges * (kHidden + kClasses), on_data});
  };
  const auto step = [&] { optimizer.step(1e-2); };
  // `product` is that of the features and w1.
  const auto loss = [&](const Variable& product, const Tensor& y) {
    const Variable h = relu(sparse_matmul(graph.pattern, values, product));
    return cross_entropy(sparse_matmul(graph.pattern, values, matmul(h, w2)), y);
  };
  time_steps(
      bench, "gcn_train", "csr", flops(static_cast<double>(kCoraNodes * kFeatures)), {w1, w2},
      {placed(x), placed(y)},
      [&](const std::vector<Tensor>& in) { return loss(matmul(Variable(in[0]), w1), in[1]); }, step,
      0);
  if (bench.device().type != DeviceType::cpu) return;  // NodeFeatures are made on the CPU
  const nn::NodeFeatures words = nn::NodeFeatures::sparse(x);
  const double kept = sum(x).item();  // its elements are 0 and 1
  time_steps(
      bench, "gcn_train", "csr, csr features", flops(kept), {w1, w2}, {y},
      [&](const std::vector<Tensor>& in) { return loss(words.times(transpose(w1, 0, 1)), in[0]); },
      step, 0);
}

void op_chain(const Bench& bench) {
  Generator g(0);
  const Variable a(to(random_normal({64}, g), bench.device()), true);
  const auto loss = [&](const std::vector<Tensor>&) {
    Variable b = a;
    for (int i = 0; i < 100; ++i) b = relu(b * 1.01 + a);
    return sum(b);
  };
  // Nothing depends on the input: a captured step needs one to know its device.
  time_steps(
      bench, "op_chain", "eager", {}, {a}, {a.tensor()}, loss, [] {}, 200);
}

void kd_loss(const Bench& bench) {
  Generator g(0);
  const auto logits = [&] { return to(random_normal({128, 1000}, g), bench.device()); };
  const Variable student(logits(), true);
  Work work;
  work.bytes = 4.0 * 128 * 1000 * 5;  // both read twice, the gradient written
  const auto loss = [&](const std::vector<Tensor>& in) {
    return kl_div_with_temperature(student, Variable(in[0]), 4);
  };
  time_steps(
      bench, "kd_loss", "f32", work, {student}, {logits()}, loss, [] {}, 200);
}

}  // namespace

void first_step() {
  Generator g(0);
  const auto model = cnn(g);
  const Tensor x = random_normal({128, 1, 28, 28}, g), y = labels(128, 10, g);
  nn::AdamW optimizer(model->parameters());
  cross_entropy(model->forward(Variable(x)), y).backward();
  optimizer.step(kRate);
}

std::vector<Workload> train_workloads() {
  return {
      {"op_chain", "300 operations on 64 numbers and backward: the cost of the tape", op_chain},
      {"mlp_train", "784-256-10 MLP, batch 128", mlp_train},
      {"mlp1200_train", "784-1200-1200-10 MLP, batch 128", mlp1200_train},
      {"cnn_train", "two convolutions and two linear layers, batch 128 of 28 x 28", cnn_train},
      {"resnet8_train", "CIFAR ResNet-8, batch 64 of 3 x 32 x 32", resnet8_train},
      {"encoder_train", "2-layer transformer encoder, batch 32 x 64 tokens", encoder_train},
      {"encoder_train_bf16", "the same with autocast to bf16", encoder_train_bf16},
      {"gpt_train", "4-layer character GPT, batch 12 x 128 tokens", gpt_train},
      {"gcn_train", "2-layer GCN on Cora (needs --data)", gcn_train},
      {"kd_loss", "distillation loss of 128 x 1000 logits, forward and backward", kd_loss},
  };
}

}  // namespace athanor::cli::bench
