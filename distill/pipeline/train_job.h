// What the trainings of `athanor train` share: the optimiser and loop that a recipe asks for, with
// log, progress and interruption. One function a kind of data does the rest.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "data/batch_order.h"
#include "distill/pipeline/distill.h"
#include "distill/run/run_log.h"
#include "nn/models.h"
#include "nn/optim.h"
#include "nn/trainer.h"

namespace athanor::distill {

struct TrainJob {
  const Recipe& recipe;
  const DistillOptions& options;
  ProgressSink& progress;
  std::unique_ptr<RunLog> log = nullptr;

  // Opens the log and writes recipe.toml: called once the inputs have been read, so that a mistake
  // in them leaves an earlier run as it is.
  void begin();
};

// Each trains as the recipe says, writes the model into the run directory and returns its part of
// summary.json: "model", "evaluated_on", "data" and what belongs to the kind.
nlohmann::json train_images(TrainJob& job);      // data.format = "idx"
nlohmann::json train_graph(TrainJob& job);       // "graph": scores of nodes
nlohmann::json train_characters(TrainJob& job);  // "characters": a language model
nlohmann::json train_speech(TrainJob& job);      // "speech": spoken words
nlohmann::json train_text(TrainJob& job);        // "text": classes of texts

// train.optimizer, over these groups.
std::unique_ptr<nn::Optimizer> make_optimizer(const Recipe& recipe,
                                              std::vector<nn::ParameterGroup> groups);

// One training: its name in the log, and how long it is.
struct TrainPlan {
  std::string name = "model";
  std::int64_t steps_per_epoch = 1;
  std::int64_t steps = 1;
  std::int64_t evaluate_every = 0;  // steps
  bool maximize = true;             // larger readings of the evaluation are better
};

// train.epochs passes over the batches, nothing held out.
TrainPlan plan_epochs(const Recipe& recipe, const data::BatchOrder& batches);

// The student's width, layers, heads and dropout, of the models that have them.
void set_student(const Recipe& recipe, nn::ModelSpec& spec);

// The rows `rows` of what a teacher elsewhere said (teacher.logits, teacher.embeddings): f32 [n,
// D]. `ids` are those of all training records; `width` > 0 is the D that is expected. Errors name
// `key`.
Tensor teacher_rows(const char* key, const std::string& file, std::span<const std::string> ids,
                    const std::vector<std::int64_t>& rows, std::int64_t width = 0);

// The loss of the labels mixed with the teacher's: mix.start of_labels + (1 - mix.start) loss.kd
// times loss.distance at the first temperature, for logits [N, K] of both.
Variable guided_loss(const Recipe& recipe, const Variable& of_labels, const Variable& logits,
                     const Variable& teacher);

// Runs nn::Trainer with the recipe's settings. Throws Interrupted when the options' stop asks for
// it. Returns the best or, without train.patience, the last reading of `evaluate` (NaN without
// one).
double run_training(TrainJob& job, nn::Module& module, nn::Optimizer& optimizer,
                    const TrainPlan& plan, const nn::Trainer::Loss& loss,
                    const nn::Trainer::Evaluation& evaluate = {});

}  // namespace athanor::distill
