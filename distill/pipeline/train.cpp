#include "distill/pipeline/train.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "data/batches.h"
#include "data/image_data_registry.h"
#include "data/image_set.h"
#include "data/teacher_outputs.h"
#include "distill/pipeline/arm.h"
#include "distill/pipeline/pool_data.h"
#include "distill/pipeline/summary.h"
#include "nn/models.h"
#include "tensor/base/error.h"
#include "tensor/base/parallel.h"
#include "tensor/base/version.h"
#include "tensor/io/atomic_file.h"
#include "tensor/ops.h"
#include "tensor/random.h"

namespace athanor::distill {
namespace {

// What a teacher that lives elsewhere said about the training images `rows`, by their numbers.
Tensor outputs_of_rows(const std::string& file, const std::vector<std::int64_t>& rows) {
  std::vector<std::string> ids;
  for (const std::int64_t row : rows) ids.push_back(std::to_string(row));
  const data::TeacherOutputs outputs = data::load_teacher_outputs(file);
  if (!outputs.ids.empty()) return data::outputs_for(outputs, ids, file);
  const std::int64_t last = *std::max_element(rows.begin(), rows.end());
  if (outputs.values.size(0) <= last) {
    raise(ErrorKind::bad_input, file, ": expected a row for each training image, up to number ",
          last, ", found ", outputs.values.size(0));
  }
  return data::gather_rows(outputs.values, rows);
}

// teacher.logits: distillation as mix.* and temperature.* say; teacher.embeddings: the student's
// features learn their cosines.
void learn_from_outputs(const Recipe& recipe, const std::vector<std::int64_t>& rows,
                        std::int64_t classes, TrainingSet& set, ArmSettings& s) {
  if (!recipe.teacher.logits.empty()) {
    set.teacher_logits = outputs_of_rows(recipe.teacher.logits, rows);
    if (set.teacher_logits.size(1) != classes) {
      raise(ErrorKind::bad_input, recipe.teacher.logits, ": expected ", classes,
            " numbers a row, one for each class of the data, found ", set.teacher_logits.size(1),
            "; reorder or cut the teacher's classes to those of the data");
    }
    s.mix = {LabelMixKind::constant, recipe.mix.start, recipe.mix.start, recipe.mix.start};
    s.kd_weight = recipe.loss.kd;
    s.kd_every = recipe.loss.kd_every;
    s.temperature = TemperatureSchedule(temperature_kind(recipe.temperature.schedule),
                                        recipe.temperature.values);
  }
  if (recipe.teacher.embeddings.empty() || recipe.loss.relation <= 0) return;
  s.relation_weight = recipe.loss.relation;
  const Tensor embeddings = outputs_of_rows(recipe.teacher.embeddings, rows);
  s.relations = [embeddings](const std::vector<std::int64_t>& batch) {
    const Tensor x = data::gather_rows(embeddings, batch);
    const Tensor unit = div(x, sqrt(add(sum(square(x), {1}, true), 1e-12)));
    return matmul(unit, transpose(unit, 0, 1));
  };
}

}  // namespace

std::string run_train(const Recipe& recipe, const DistillOptions& options) {
  check_recipe(recipe);
  const auto begun = std::chrono::steady_clock::now();
  const data::ImageData data = data::read_image_data(recipe.data.format, recipe.data.dir);
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
  TrainingSet set{
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
  s.own_losses = own_losses_of(recipe.loss.own);
  learn_from_outputs(recipe, rows, data.train.classes(), set, s);
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
