// INT8 inference beside f32: the same classifiers, random weights and images with fixed seeds.
#include <memory>

#include "autograd/ops.h"
#include "cli/bench/bench.h"
#include "nn/quantized_model.h"

namespace athanor::cli::bench {
namespace {

// A classifier and one batch for it.
struct Subject {
  nn::ModelSpec spec;
  std::int64_t batch = 0;
  double products = 0;  // of one image

  Work work() const { return {2.0 * static_cast<double>(batch) * products, 0}; }
  std::shared_ptr<nn::Classifier> model() const {
    Generator g(0);
    auto made = std::make_shared<nn::Classifier>(spec, g);
    made->eval();
    return made;
  }
  Tensor images() const {
    Generator g(1);
    return random_normal({batch, spec.input[0], spec.input[1], spec.input[2]}, g);
  }
};

Subject mlp_subject(std::vector<std::int64_t> hidden) {
  Subject s;
  s.spec.hidden = std::move(hidden);
  s.batch = 128;
  std::int64_t width = 784, products = 0;
  for (const std::int64_t next : s.spec.hidden) products += width * next, width = next;
  s.products = static_cast<double>(products + width * s.spec.classes);
  return s;
}

Subject cnn_subject() {
  Subject s;
  s.spec.model = "cnn";
  s.batch = 64;
  s.products = 784.0 * 9 * 32 + 196.0 * 9 * 32 * 64 + 3136.0 * 128 + 1280;
  return s;
}

Subject resnet8_subject() {
  Subject s;
  s.spec.model = "resnet8";
  s.spec.input = {3, 32, 32};
  s.batch = 64;
  const double stage = 1024.0 * 9 * 16 * 16;  // a convolution within a stage: each costs the same
  s.products = 1024.0 * 27 * 16 + 2 * stage + 2 * (1.5 * stage + 256.0 * 16 * 32) + 640;
  return s;
}

void time_f32(const Bench& bench, const char* workload, const Subject& subject) {
  const auto model = subject.model();
  const Variable x(subject.images());
  const InferenceMode inference;
  bench.time(workload, "f32", subject.work(), [&] { model->forward(x); });
}

// Images come in f32: quantising them counts.
void time_int8(const Bench& bench, const char* workload, const Subject& subject) {
  const Tensor x = subject.images();
  const nn::QuantizedModel model(nn::calibrate(*subject.model(), {x}));
  bench.time(workload, "int8", subject.work(), [&] { model.forward(x); });
}

void matmul_1024(const Bench& bench) {
  Generator g(0);
  const Tensor x = random_normal({1024, 1024}, g), w = random_normal({1024, 1024}, g);
  const Quantization q{0.03f, 128};
  const Tensor scale = channel_scales(w), bytes = quantize(x, q);
  const QuantizedWeight weight(quantize_per_channel(w, scale), scale, {}, q);
  const Work work{2.0 * 1024 * 1024 * 1024, 0};
  bench.time("matmul_int8", "u8 x i8, packed", work, [&] {
    quantized_linear(bytes, weight, {Quantization{1, 128}, false});
  });
}

void matmul_f32(const Bench& bench) {
  Generator g(0);
  const Tensor x = random_normal({1024, 1024}, g), w = random_normal({1024, 1024}, g);
  const Work work{2.0 * 1024 * 1024 * 1024, 0};
  bench.time("matmul", "f32", work, [&] { linear(x, w); });
}

// A row NAME in f32 and a row NAME_int8.
template <class Make>
void add_rows(std::vector<Workload>& rows, const std::string& name, const std::string& what,
              Make make, bool with_f32 = true) {
  if (with_f32) {
    rows.push_back({name, what + ", inference",
                    [=](const Bench& b) { time_f32(b, name.c_str(), make()); }, true});
  }
  const std::string int8 = name + "_int8";
  rows.push_back({int8, "the same in INT8",
                  [=](const Bench& b) { time_int8(b, int8.c_str(), make()); }, true});
}

}  // namespace

std::vector<Workload> quantized_workloads() {
  std::vector<Workload> rows = {
      {"matmul", "1024 x 1024 by 1024 x 1024, a linear layer", matmul_f32, true},
      {"matmul_int8", "the same in INT8", matmul_1024, true},
  };
  add_rows(rows, "mlp_infer", "784-256-10 MLP, batch 128", [] { return mlp_subject({256}); });
  add_rows(rows, "mlp1200_infer", "784-1200-1200-10 MLP, batch 128", [] {
    return mlp_subject({1200, 1200});
  });
  add_rows(rows, "cnn_infer", "", cnn_subject, false);
  add_rows(rows, "resnet8_infer", "the ResNet-8 of resnet8_train, batch 64", resnet8_subject);
  return rows;
}

}  // namespace athanor::cli::bench
