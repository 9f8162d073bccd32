// Training: batches, an optimiser, a schedule, and a look at the result.
#include <iostream>

#include "autograd/ops.h"
#include "nn/layers.h"
#include "nn/metrics.h"
#include "nn/optim.h"
#include "nn/schedule.h"

using namespace athanor;

// Points in the plane; the class says whether both coordinates have one sign.
struct Data {
  Tensor x, y;
};
Data make_data(std::int64_t count, Generator& generator) {
  const Tensor x = random_normal({count, 2}, generator);
  const Tensor product = mul(select(x, 1, 0), select(x, 1, 1));
  return {x, cast(greater(product, scalar(0)), DType::i64)};
}

int main() {
  Generator generator(3);
  const Data data = make_data(1024, generator), test = make_data(512, generator);
  nn::Sequential net({std::make_shared<nn::Linear>(2, 16, generator), nn::relu_layer(),
                      std::make_shared<nn::Linear>(16, 2, generator)});
  nn::AdamW optimizer(net.parameters());
  constexpr std::int64_t kEpochs = 20, kBatch = 64, kBatches = 1024 / kBatch;
  const nn::Schedule schedule{nn::ScheduleKind::one_cycle, 2e-2, kEpochs * kBatches};

  std::int64_t step = 0;
  for (std::int64_t epoch = 0; epoch < kEpochs; ++epoch) {
    const Tensor order = random_permutation(1024, generator);
    for (std::int64_t b = 0; b < kBatches; ++b) {
      const Tensor rows = slice(order, 0, b * kBatch, (b + 1) * kBatch);
      const Variable logits = net(index_select(data.x, 0, rows));
      const Variable loss = cross_entropy(logits, index_select(data.y, 0, rows));
      net.zero_grad();
      loss.backward();
      optimizer.step(schedule.rate(step++));
    }
  }

  const NoGrad no_grad;
  net.eval();
  const Tensor predicted = nn::predicted_classes(net(test.x).tensor());
  const double accuracy = nn::accuracy(nn::confusion_matrix(predicted, test.y, 2));
  std::cout << "more than 95% right: " << (accuracy > 0.95 ? "yes" : "no") << '\n';
}
