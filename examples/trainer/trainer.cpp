// A trainer in one binary: reads IDX images, trains a CNN, says how good it is and saves it.
//
//   trainer DIRECTORY [EPOCHS [MODEL.safetensors]]
//
// Built by the static preset it needs no shared library and no installation.
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "autograd/ops.h"
#include "data/batches.h"
#include "data/image_set.h"
#include "nn/metrics.h"
#include "nn/models.h"
#include "nn/optim.h"
#include "nn/schedule.h"

using namespace athanor;

namespace {

constexpr std::int64_t kBatch = 128;

// Images as the model reads them: [N, 1, H, W], normalised.
Tensor inputs_of(const data::ImageSet& set, const nn::ModelSpec& spec) {
  const Tensor pixels = data::to_unit_floats(set.images);
  return reshape(mul(add(pixels, -spec.mean), 1 / spec.stddev),
                 {set.size(), 1, set.images.size(1), set.images.size(2)});
}

double accuracy_on(nn::Classifier& model, const Tensor& x, const Tensor& labels) {
  const InferenceMode inference;
  double right = 0;
  for (std::int64_t at = 0; at < x.size(0); at += kBatch) {
    const Tensor predicted =
        nn::predicted_classes(model(Variable(slice(x, 0, at, at + kBatch))).tensor());
    right += sum(equal(predicted, slice(labels, 0, at, at + kBatch))).item();
  }
  return right / static_cast<double>(x.size(0));
}

int run(const char* directory, int epochs, const char* file) {
  const data::ImageData images = data::load_image_data(directory);
  nn::ModelSpec spec;
  spec.model = "cnn";
  spec.input = {1, images.train.images.size(1), images.train.images.size(2)};
  spec.classes = images.train.classes();
  spec.class_names = images.train.class_names;
  const Tensor pixels = data::to_unit_floats(images.train.images);
  spec.mean = mean(pixels).item();
  spec.stddev = std::sqrt(mean(square(add(pixels, -spec.mean))).item());
  Generator generator(0);
  nn::Classifier model(spec, generator);
  nn::AdamW optimizer(model.parameters());

  data::BatchOrder::Options order;
  order.batch_size = kBatch;
  data::BatchLoader loader({inputs_of(images.train, spec), images.train.labels}, order);
  const std::int64_t batches = loader.batches_per_epoch();
  const nn::Schedule schedule{nn::ScheduleKind::one_cycle, 3e-3, epochs * batches};
  const Tensor test = inputs_of(images.test, spec);
  for (int epoch = 0; epoch < epochs; ++epoch) {
    double total = 0;
    model.train();
    for (std::int64_t i = 0; i < batches; ++i) {
      const data::Batch batch = loader.next();
      const Variable loss = cross_entropy(model(Variable(batch.tensors[0])), batch.tensors[1]);
      model.zero_grad();
      loss.backward();
      optimizer.step(schedule.rate(epoch * batches + i));
      total += loss.item();
    }
    model.eval();
    std::printf("epoch %d: loss %.4f, test accuracy %.4f\n", epoch + 1,
                total / static_cast<double>(batches), accuracy_on(model, test, images.test.labels));
    std::fflush(stdout);
  }
  if (file) nn::save_classifier(file, model);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const int epochs = argc > 2 ? std::atoi(argv[2]) : 1;
  if (argc < 2 || argc > 4 || epochs < 1) {
    std::fprintf(stderr, "usage: trainer DIRECTORY [EPOCHS >= 1 [MODEL.safetensors]]\n");
    return 2;
  }
  try {
    return run(argv[1], epochs, argc > 3 ? argv[3] : nullptr);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "trainer: %s\n", error.what());
    return 1;
  }
}
