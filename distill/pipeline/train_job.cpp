#include "distill/pipeline/train_job.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops.h"
#include "data/batches.h"
#include "data/teacher_outputs.h"
#include "distill/losses/guidance.h"
#include "tensor/base/error.h"
#include "tensor/base/parallel.h"
#include "tensor/base/version.h"
#include "tensor/io/atomic_file.h"

namespace athanor::distill {
namespace {

constexpr std::int64_t kStepsPerLogLine = 10;  // steps

nn::TrainerOptions trainer_options(const Recipe& recipe, const TrainPlan& plan) {
  const auto& t = recipe.train;
  nn::TrainerOptions o;
  o.schedule.kind = nn::schedule_from_name(t.schedule);
  o.schedule.peak = t.lr;
  o.schedule.total = plan.steps;
  o.schedule.warmup = t.warmup;
  o.accumulate = t.accumulate;
  o.clip_norm = t.clip;
  o.average = t.average;
  o.evaluate_every = plan.evaluate_every;
  if (t.patience > 0) {
    if (plan.evaluate_every == 0) {
      raise(ErrorKind::usage, "train.patience: expected 0, since nothing is held out, got ",
            t.patience);
    }
    o.early_stopping = nn::EarlyStopping::Options{t.patience, 0, plan.maximize};
  }
  return o;
}

}  // namespace

void TrainJob::begin() {
  log = std::make_unique<RunLog>(options.out);
  log->start({kVersion, str(options.device), num_threads(), recipe.seed});
  write_file_atomically(options.out / "recipe.toml", to_toml(recipe));
  log->stage_begin("model");
}

void set_student(const Recipe& recipe, nn::ModelSpec& spec) {
  spec.width = recipe.student.width;
  spec.layers = recipe.student.layers;
  spec.heads = recipe.student.heads;
  spec.dropout = recipe.student.dropout;
}

TrainPlan plan_epochs(const Recipe& recipe, const data::BatchOrder& batches) {
  TrainPlan plan;
  plan.steps_per_epoch =
      std::max<std::int64_t>(1, batches.batches_per_epoch() / recipe.train.accumulate);
  plan.steps = plan.steps_per_epoch * recipe.train.epochs;
  return plan;
}

std::unique_ptr<nn::Optimizer> make_optimizer(const Recipe& recipe,
                                              std::vector<nn::ParameterGroup> groups) {
  const double decay = recipe.train.weight_decay;
  const std::string& name = recipe.train.optimizer;
  if (name == "adamw" || name == "adam") {
    nn::AdamWOptions o;
    o.weight_decay = decay;
    o.coupled = name == "adam";
    return std::make_unique<nn::AdamW>(std::move(groups), o);
  }
  if (name == "sgd") {
    return std::make_unique<nn::Sgd>(std::move(groups), nn::SgdOptions{0.9, decay, true});
  }
  if (name == "lamb") {
    nn::LambOptions o;
    o.weight_decay = decay;
    return std::make_unique<nn::Lamb>(std::move(groups), o);
  }
  if (name == "lion") {
    nn::LionOptions o;
    o.weight_decay = decay;
    return std::make_unique<nn::Lion>(std::move(groups), o);
  }
  if (name != "muon") raise(ErrorKind::usage, "train.optimizer: unknown, got ", name);
  nn::MuonOptions o;
  o.weight_decay = decay;
  return std::make_unique<nn::Muon>(std::move(groups), o);
}

Tensor teacher_rows(const char* key, const std::string& file, std::span<const std::string> ids,
                    const std::vector<std::int64_t>& rows, std::int64_t width) {
  try {
    const Tensor all = data::outputs_for(data::load_teacher_outputs(file), ids, file);
    if (width > 0 && all.size(1) != width) {
      raise(ErrorKind::bad_input, file, ": expected logits of ", width, " classes, found ",
            all.size(1), " a record");
    }
    return data::gather_rows(all, rows);
  } catch (const Error& error) {
    raise(error.kind(), key, ": ", error.what());
  }
}

Variable guided_loss(const Recipe& recipe, const Variable& of_labels, const Variable& logits,
                     const Variable& teacher) {
  const double hard = recipe.mix.start;
  const Variable of_teacher =
      guidance_loss(recipe.loss.distance, logits, teacher, recipe.temperature.values.front());
  return of_labels * hard + of_teacher * (recipe.loss.kd * (1 - hard));
}

double run_training(TrainJob& job, nn::Module& module, nn::Optimizer& optimizer,
                    const TrainPlan& plan, const nn::Trainer::Loss& loss,
                    const nn::Trainer::Evaluation& evaluate) {
  nn::Trainer trainer(module, optimizer, trainer_options(job.recipe, plan));
  ProgressTask task(job.progress, plan.name, plan.steps, "steps");
  double reading = kMissing;
  trainer.run(loss, evaluate, [&](const nn::TrainerStep& step) {
    if (job.options.stop && job.options.stop()) throw Interrupted{};
    const double epoch =
        static_cast<double>(step.step + 1) / static_cast<double>(plan.steps_per_epoch);
    if (step.evaluation) {
      reading = *step.evaluation;
      EpochEvent event;
      event.run = plan.name;
      event.epoch = static_cast<std::int64_t>(epoch);
      event.step = step.step + 1;
      event.train_loss = step.loss;
      (plan.maximize ? event.val_accuracy : event.val_loss) = reading;
      job.log->epoch(event);
    }
    if (step.step % kStepsPerLogLine == 0) {
      StepEvent event;
      event.run = plan.name;
      event.step = step.step;
      event.epoch = epoch;
      event.loss = step.loss;
      event.lr = step.rate;
      event.grad_norm = step.gradient_norm;
      job.log->step(event);
    }
    if (step.step % kStepsPerLogLine == 0 || step.evaluation) {
      task.update(step.step + 1, std::isnan(reading)
                                     ? str("loss ", step.loss)
                                     : str("loss ", step.loss, ", evaluation ", reading));
    }
    return true;
  });
  if (job.recipe.train.patience > 0) reading = trainer.best();
  task.set_result(evaluate ? str("evaluation ", reading) : "");
  return reading;
}

}  // namespace athanor::distill
