#include "distill/pipeline/train.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "data/batches.h"
#include "data/image_set.h"
#include "distill/pipeline/arm.h"
#include "distill/pipeline/pool_data.h"
#include "distill/pipeline/summary.h"
#include "nn/models.h"
#include "tensor/base/error.h"
#include "tensor/base/parallel.h"
#include "tensor/base/version.h"
#include "tensor/io/atomic_file.h"
#include "tensor/random.h"

namespace athanor::distill {

std::string run_train(const Recipe& recipe, const DistillOptions& options) {
  check_recipe(recipe);
  const auto begun = std::chrono::steady_clock::now();
  const data::ImageData data = data::load_image_data(recipe.data.dir);
  const bool test = recipe.evaluate.split == "test";
  const std::int64_t N = data.train.size(), held_out = test ? 0 : recipe.evaluate.size;
  if (held_out >= N) {
    raise(ErrorKind::usage, "evaluate.size: expected fewer than the ", N, " training images, got ",
          held_out);
  }
  NoProgress silent;
  ProgressSink& progress = options.progress ? *options.progress : silent;
  RunLog log(options.out);
  log.start({kVersion, "cpu", num_threads(), recipe.seed});
  write_file_atomically(options.out / "recipe.toml", to_toml(recipe));

  // The same validation images as those of a distillation run with this seed.
  Generator generator = Generator(recipe.seed).fork(2);
  const auto order = random_permutation(N, generator).to_vector<std::int64_t>();
  const std::vector<std::int64_t> rows(order.begin(), order.end() - held_out);
  const std::vector<std::int64_t> validation(order.end() - held_out, order.end());
  const TrainingSet set{
      inputs_of(data.train.images, rows), data::gather_rows(data.train.labels, rows), {}};
  ArmSettings s;
  s.name = "model";
  s.rows = iota(N - held_out);
  s.batch = recipe.train.batch;
  s.steps_per_epoch = std::max<std::int64_t>(1, (N - held_out) / s.batch);
  s.steps = s.steps_per_epoch * recipe.train.epochs;
  s.lr = recipe.train.lr;
  s.schedule = nn::schedule_from_name(recipe.train.schedule);
  s.shift = recipe.train.shift;
  s.seed = recipe.seed;
  const nn::ModelSpec spec =
      image_model_spec(data.train, recipe.student.model, recipe.student.hidden);
  log.stage_begin("model");
  const ArmResult result = train_arm(spec, set, s, log, progress, options.stop);
  const double seconds = log.stage_end("model");
  nn::save_classifier(options.out / "model.safetensors", *result.model);
  nlohmann::json model =
      test ? score_model(*result.model, inputs_of(data.test.images, iota(data.test.size())),
                         data.test.labels)
           : score_model(*result.model, inputs_of(data.train.images, validation),
                         data::gather_rows(data.train.labels, validation));
  const nlohmann::json summary = {
      {"name", recipe.name},
      {"model", model},
      {"evaluated_on",
       {{"split", recipe.evaluate.split}, {"records", test ? data.test.size() : held_out}}},
      {"data", {{"train", N - held_out}, {"test", data.test.size()}}},
      {"classes", data.train.class_names},
      {"seconds",
       {{"train", seconds},
        {"total",
         std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count()}}},
      {"seed", recipe.seed},
      {"version", kVersion},
      {"device", "cpu"},
      {"threads", num_threads()}};
  const std::string text = summary.dump(2) + "\n";
  write_file_atomically(options.out / "summary.json", text);
  return text;
}

}  // namespace athanor::distill
