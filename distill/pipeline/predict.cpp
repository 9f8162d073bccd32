#include "distill/pipeline/predict.h"

#include <algorithm>

#include "tensor/ops.h"

namespace athanor::distill {
namespace {

constexpr std::int64_t kPredictedBatch = 500;

template <class Model>
Predictions predict_with(Model& model, const Tensor& inputs) {
  NoGrad no_grad;
  model.eval();
  const std::int64_t N = inputs.size(0);
  const Device device = model.parameters().front().device();
  Predictions all;
  for (std::int64_t begin = 0; begin < N; begin += kPredictedBatch) {
    const std::int64_t end = std::min(begin + kPredictedBatch, N);
    const nn::Output out = model.run(Variable(to(slice(inputs, 0, begin, end), device)));
    if (!all.logits.defined()) {
      all.logits = empty({N, out.logits.size(1)});
      all.features = empty({N, out.features.size(1)});
    }
    Tensor logits = slice(all.logits, 0, begin, end), features = slice(all.features, 0, begin, end);
    copy_(logits, out.logits.tensor());
    copy_(features, out.features.tensor());
  }
  return all;
}

}  // namespace

Predictions predict(nn::Classifier& model, const Tensor& inputs) {
  return predict_with(model, inputs);
}
Predictions predict(nn::FakeQuantizedModel& model, const Tensor& inputs) {
  return predict_with(model, inputs);
}

Tensor logits_of(const nn::QuantizedModel& model, const Tensor& inputs) {
  const std::int64_t N = inputs.size(0);
  Tensor all = empty({N, model.spec().classes});
  for (std::int64_t begin = 0; begin < N; begin += kPredictedBatch) {
    const std::int64_t end = std::min(begin + kPredictedBatch, N);
    Tensor part = slice(all, 0, begin, end);
    copy_(part, model.forward(contiguous(slice(inputs, 0, begin, end))));
  }
  return all;
}

}  // namespace athanor::distill
