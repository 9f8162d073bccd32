// Distillation: a small student learns from a large teacher, not from labels.
#include <iostream>

#include "autograd/ops.h"
#include "nn/layers.h"
#include "nn/optim.h"

using namespace athanor;

namespace {

std::shared_ptr<nn::Sequential> perceptron(std::int64_t hidden, Generator& generator) {
  return std::make_shared<nn::Sequential>(std::vector<std::shared_ptr<nn::Module>>{
      std::make_shared<nn::Linear>(2, hidden, generator), nn::relu_layer(),
      std::make_shared<nn::Linear>(hidden, 3, generator)});
}

using Loss = std::function<Variable(const Variable& logits)>;

void train(nn::Module& net, const Tensor& x, const Loss& loss) {
  nn::AdamW optimizer(net.parameters());
  for (int step = 0; step < 400; ++step) {
    net.zero_grad();
    loss(net(x)).backward();
    optimizer.step(1e-2);
  }
}

double share_of_equal(const Tensor& a, const Tensor& b) {
  return mean(cast(equal(a, b), DType::f64)).item();
}

}  // namespace

int main() {
  Generator generator(5);
  // Three sectors of the plane; about a quarter of the labels are wrong.
  const Tensor x = random_normal({600, 2}, generator);
  const Tensor plane = from_values<float>({1, -0.5f, -0.5f, 0, 0.87f, -0.87f}, {2, 3});
  const Tensor truth = argmax(matmul(x, plane), 1);
  const Tensor wrong = random_bernoulli({600}, generator, 0.33);
  const Tensor shifted = cast(greater(truth, scalar(0, DType::i64)), DType::i64);
  const Tensor labels = where(wrong, sub(truth, shifted), truth);

  const auto teacher = perceptron(64, generator);
  train(*teacher, x, [&](const Variable& logits) { return cross_entropy(logits, truth); });

  Tensor soft;
  {
    const InferenceMode inference;  // no gradient can reach the teacher
    soft = teacher->forward(x).tensor();
  }
  const auto student = perceptron(4, generator);
  constexpr double kTemperature = 4;
  train(*student, x, [&](const Variable& logits) {
    return kl_div_with_temperature(logits, soft, kTemperature) * 0.9 +
           cross_entropy(logits, labels) * 0.1;
  });

  const InferenceMode inference;
  const double agreement = share_of_equal(argmax(student->forward(x).tensor(), 1), argmax(soft, 1));
  std::cout << teacher->parameter_count() << " -> " << student->parameter_count()
            << " parameters\n";
  std::cout << "labels right: " << share_of_equal(labels, truth) << '\n';
  std::cout << "student agrees with teacher on more than 95%: " << (agreement > 0.95 ? "yes" : "no")
            << '\n';
}
