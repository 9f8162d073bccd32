// athanor train on images: classes, with augmentation.
#include <algorithm>

#include "autograd/autocast.h"
#include "autograd/ops.h"
#include "autograd/ops/device.h"
#include "data/batch_order.h"
#include "data/batches.h"
#include "distill/pipeline/pool_data.h"
#include "distill/pipeline/summary.h"
#include "distill/pipeline/train_job.h"

namespace athanor::distill {
namespace {

// Mirrors each image [N, C, H, W], with probability 1/2, left to right.
Tensor mirrored(const Tensor& images, Generator& generator) {
  const std::int64_t W = images.size(-1), rows = images.numel() / (W * images.size(0));
  Tensor out = clone(contiguous(images));
  float* row = out.data<float>();
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    const bool mirror = generator.next_below(2) == 1;
    for (std::int64_t r = 0; r < rows; ++r, row += W) {
      if (mirror) std::reverse(row, row + W);
    }
  }
  return out;
}

}  // namespace

nlohmann::json train_images(TrainJob& job) {
  const Recipe& recipe = job.recipe;
  const data::ImageData data = data::load_image_data(recipe.data.dir);
  const bool test = recipe.evaluate.split == "test";
  const std::int64_t N = data.train.size(), held_out = test ? 0 : recipe.evaluate.size;
  if (held_out >= N) {
    raise(ErrorKind::usage, "evaluate.size: expected fewer than the ", N, " training images, got ",
          held_out);
  }
  // The same validation images as those of a distillation run with this seed.
  Generator split = Generator(recipe.seed).fork(2);
  const auto order = random_permutation(N, split).to_vector<std::int64_t>();
  const std::vector<std::int64_t> rows(order.begin(), order.end() - held_out);
  const std::vector<std::int64_t> validation(order.end() - held_out, order.end());
  const Tensor inputs = inputs_of(data.train.images, rows);
  const Tensor labels = data::gather_rows(data.train.labels, rows);

  job.begin();
  Generator weights = Generator(recipe.seed).fork(1), moves = Generator(recipe.seed).fork(2);
  nn::ModelSpec spec = image_model_spec(data.train, recipe.student.model, recipe.student.hidden);
  set_student(recipe, spec);
  nn::Classifier model(spec, weights);
  const Device device = job.options.device;
  model.to(device);
  std::vector<nn::ParameterGroup> groups(1);
  groups[0].parameters = model.parameters();
  const auto optimizer = make_optimizer(recipe, std::move(groups));

  const std::int64_t batch = std::min(recipe.train.batch, N - held_out);
  data::BatchOrder batches(N - held_out, {batch, recipe.seed, true, true});
  const TrainPlan plan = plan_epochs(recipe, batches);
  run_training(job, model, *optimizer, plan, [&](std::int64_t, std::int64_t) {
    const std::vector<std::int64_t> some = batches.next();
    Tensor x = data::gather_rows(inputs, some);
    if (recipe.train.shift > 0) x = shifted(x, recipe.train.shift, moves);
    if (recipe.train.flip) x = mirrored(x, moves);
    const Autocast scope(job.options.precision);
    return cross_entropy(model.forward(Variable(to(x, device))),
                         to(data::gather_rows(labels, some), device), Variable(),
                         recipe.train.label_smoothing);
  });
  model.to(Device{});
  nn::save_classifier(job.options.out / "model.safetensors", model);
  const nlohmann::json result =
      test ? score_model(model, inputs_of(data.test.images, iota(data.test.size())),
                         data.test.labels)
           : score_model(model, inputs_of(data.train.images, validation),
                         data::gather_rows(data.train.labels, validation));
  return {{"model", result},
          {"evaluated_on",
           {{"split", recipe.evaluate.split}, {"records", test ? data.test.size() : held_out}}},
          {"data", {{"train", N - held_out}, {"test", data.test.size()}}},
          {"classes", data.train.class_names}};
}

}  // namespace athanor::distill
