// Inference: models in evaluation mode, nothing recorded.
#include <memory>

#include "autograd/autocast.h"
#include "autograd/ops.h"
#include "cli/bench/bench.h"
#include "cli/bench/models.h"
#include "tensor/ops/device.h"

namespace athanor::cli::bench {
namespace {

void conv_bn_relu(const Bench& bench) {
  Generator g(0);
  constexpr std::int64_t N = 64, C = 64, H = 28;
  Conv2dOptions same;
  same.padding = 1;
  const auto placed = [&](const Tensor& t) { return to(t, bench.device()); };
  const Tensor x = channels_last(placed(random_normal({N, C, H, H}, g)));
  const Tensor w = placed(random_normal({C, C, 3, 3}, g, 0, 0.05)), b = placed(zeros({C}));
  const Tensor gamma = placed(ones({C})), beta = placed(zeros({C}));
  Tensor mean = placed(zeros({C})), variance = placed(ones({C}));
  BatchNormOptions norm;
  norm.training = false;
  Work work;
  work.flops = 2.0 * N * C * H * H * C * 9;
  const InferenceMode inference;
  bench.time("conv_bn_relu", "eager+channels_last", work,
             [&] { relu(batch_norm(conv2d(x, w, b, same), gamma, beta, mean, variance, norm)); });
  const Tensor scale = mul(gamma, rsqrt(add(variance, norm.eps)));
  const Tensor folded_w = mul(w, reshape(scale, {C, 1, 1, 1}));
  const Tensor folded_b = add(mul(sub(b, mean), scale), beta);
  Conv2dOptions fused = same;
  fused.relu = true;
  bench.time("conv_bn_relu", "folded+channels_last", work,
             [&] { conv2d(x, folded_w, folded_b, fused); });
}

void cnn_infer(const Bench& bench) {
  Generator g(0);
  const auto model = cnn(g);
  model->eval();
  model->to(bench.device());
  const Variable x(to(random_normal({64, 1, 28, 28}, g), bench.device()));
  Work work;
  work.flops = 2.0 * 64 * (784.0 * 9 * 32 + 196.0 * 9 * 32 * 64 + 3136.0 * 128 + 1280);
  const InferenceMode inference;
  bench.time("cnn_infer", "f32", work, [&] { model->forward(x); });
}

void infer_encoder(const Bench& bench, const char* name, const char* variant, DType products) {
  Generator g(0);
  const auto model = encoder(g);
  model->eval();
  model->to(bench.device());
  Tensor tokens = empty({32, 64}, DType::i64);
  for (std::int64_t i = 0; i < tokens.numel(); ++i) {
    tokens.data<std::int64_t>()[i] = g.next_below(8000);
  }
  tokens = to(tokens, bench.device());
  Work work;
  work.flops = 2.0 * 32 * 2 * (64.0 * (4 * 256 * 256 + 2 * 256 * 1024) + 2.0 * 64 * 64 * 256);
  const InferenceMode inference;
  const Autocast scope(products);
  bench.time(name, variant, work, [&] { model->run(tokens); });
}

void encoder_infer(const Bench& bench) { infer_encoder(bench, "encoder_infer", "f32", DType::f32); }
void encoder_infer_bf16(const Bench& bench) {
  infer_encoder(bench, "encoder_infer_bf16", "autocast", DType::bf16);
}

}  // namespace

std::vector<Workload> infer_workloads() {
  return {
      {"conv_bn_relu", "64 x 64 x 28 x 28, convolution 3 x 3, batch norm, ReLU", conv_bn_relu},
      {"encoder_infer", "the encoder of encoder_train, inference", encoder_infer},
      {"encoder_infer_bf16", "the same with autocast to bf16", encoder_infer_bf16},
      {"cnn_infer", "the CNN of cnn_train, inference, batch 64", cnn_infer},
  };
}

}  // namespace athanor::cli::bench
