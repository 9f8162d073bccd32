#include "nn/trainer.h"

#include <bit>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "nn/clip.h"
#include "tensor/io/safetensors.h"

namespace athanor::nn {
namespace {

constexpr const char* kTrainingKind = "athanor.training";

void put(NamedTensors& all, const std::string& prefix, const StateDict& state) {
  for (const auto& [name, value] : state) all.emplace(prefix + name, value);
}

StateDict part_of(const NamedTensors& all, const std::string& prefix) {
  StateDict state;
  for (const auto& [name, value] : all) {
    if (name.starts_with(prefix)) state.emplace(name.substr(prefix.size()), value);
  }
  return state;
}

// Seed, stream and position of each generator, [n, 3].
Tensor generator_states(const Module& module) {
  std::vector<std::int64_t> values;
  for (const Generator* g : module.generators()) {
    for (std::uint64_t word : {g->seed(), g->stream(), g->position()}) {
      values.push_back(std::bit_cast<std::int64_t>(word));
    }
  }
  return from_values(values, {static_cast<std::int64_t>(values.size()) / 3, 3});
}

void restore_generators(const Module& module, const Tensor& states) {
  const std::vector<Generator*> generators = module.generators();
  const std::vector<std::int64_t> values = states.to_vector<std::int64_t>();
  for (std::size_t i = 0; i < generators.size(); ++i) {
    const auto word = [&](std::size_t k) {
      return std::bit_cast<std::uint64_t>(values[3 * i + k]);
    };
    *generators[i] = Generator(word(0), word(1));
    generators[i]->set_position(word(2));
  }
}

}  // namespace

Trainer::Trainer(Module& module, Optimizer& optimizer, const TrainerOptions& options)
    : module_(module),
      optimizer_(optimizer),
      options_(options),
      best_(std::numeric_limits<double>::quiet_NaN()) {
  if (options.accumulate < 1 || options.schedule.total < 1) {
    fail("Trainer", "expected accumulate and schedule.total >= 1, got ", options.accumulate,
         " and ", options.schedule.total);
  }
  if (options.early_stopping) early_stopping_.emplace(*options.early_stopping);
  if (options.average > 0) average_.emplace(module, options.average);
}

TrainerStep Trainer::step(const Loss& loss, const Evaluation& evaluate) {
  TrainerStep report;
  report.step = step_;
  report.rate = options_.schedule.rate(step_);
  module_.train();
  optimizer_.zero_grad();
  const double share = 1 / static_cast<double>(options_.accumulate);
  for (std::int64_t part = 0; part < options_.accumulate; ++part) {
    const Variable value = mul(loss(step_, part), share);
    report.loss += value.item();
    value.backward();
  }
  std::vector<Variable>& parameters = optimizer_.parameters();
  report.gradient_norm = gradient_norm(parameters);
  report.skipped = !std::isfinite(report.gradient_norm);
  if (!report.skipped) {
    if (options_.clip_value > 0) clip_gradient_value(parameters, options_.clip_value);
    if (options_.clip_norm > 0 && report.gradient_norm > options_.clip_norm) {
      clip_gradient_norm(parameters, options_.clip_norm);
    }
    optimizer_.step(report.rate);
    if (average_) average_->update(module_);
    skipped_ = 0;
  } else if (++skipped_ >= options_.max_skipped) {
    raise(ErrorKind::diverged, "training: ", skipped_,
          " steps in a row without a finite gradient, the last at step ", step_);
  }
  ++step_;
  const bool last = step_ == options_.schedule.total;
  if (evaluate && options_.evaluate_every > 0 && (last || step_ % options_.evaluate_every == 0)) {
    report.evaluation = evaluate_now(evaluate);
  }
  return report;
}

double Trainer::evaluate_now(const Evaluation& evaluate) {
  const NoGrad no_grad;
  StateDict own;
  if (average_) {
    own = module_.state_dict();
    module_.load_state_dict(average_->state());
  }
  module_.eval();
  const double reading = evaluate();
  if (early_stopping_) {
    early_stopping_->observe(reading, module_);
  } else {
    best_ = reading;
  }
  if (average_) module_.load_state_dict(own);
  return reading;
}

void Trainer::run(const Loss& loss, const Evaluation& evaluate, const Observer& observe) {
  while (step_ < options_.schedule.total) {
    const TrainerStep report = step(loss, evaluate);
    if (observe && !observe(report)) break;
    if (early_stopping_ && early_stopping_->should_stop()) break;
  }
  finish();
}

void Trainer::finish() {
  optimizer_.zero_grad();
  module_.eval();
  if (early_stopping_ && !early_stopping_->best_state().empty()) {
    early_stopping_->restore(module_);
  } else if (average_) {
    module_.load_state_dict(average_->state());
  }
}

void Trainer::save(const std::filesystem::path& path) const {
  NamedTensors all;
  put(all, "model.", module_.state_dict());
  put(all, "optimizer.", optimizer_.state_dict());
  if (average_) put(all, "average.", average_->state());
  if (early_stopping_) put(all, "best.", early_stopping_->best_state());
  all.emplace("generators", generator_states(module_));
  all.emplace("counters",
              from_values<std::int64_t>({step_, skipped_, average_ ? average_->updates() : -1,
                                         early_stopping_ ? early_stopping_->waited() : -1},
                                        {4}));
  all.emplace("best", from_values<double>({best()}, {1}));
  save_safetensors(path, all,
                   {{"format", kTrainingKind}, {"format_version", "1"}, {"producer", "athanor"}});
}

void Trainer::load(const std::filesystem::path& path) {
  const auto [all, metadata] = load_safetensors(path);
  const auto kind = metadata.find("format");
  if (kind == metadata.end() || kind->second != kTrainingKind || !all.contains("counters") ||
      !all.contains("best") || !all.contains("generators")) {
    raise(ErrorKind::bad_input, path.string(), ": expected a checkpoint of a training");
  }
  const auto counters = all.at("counters").to_vector<std::int64_t>();
  if (counters.size() != 4 || (counters[2] >= 0) != average_.has_value() ||
      (counters[3] >= 0) != early_stopping_.has_value() ||
      !(all.at("generators").shape() == generator_states(module_).shape())) {
    raise(ErrorKind::bad_input, path.string(),
          ": expected a checkpoint with the same average, early stopping and dropout");
  }
  module_.load_state_dict(part_of(all, "model."));
  optimizer_.load_state_dict(part_of(all, "optimizer."));
  restore_generators(module_, all.at("generators"));
  step_ = counters[0];
  skipped_ = counters[1];
  if (average_) average_->resume(counters[2], part_of(all, "average."));
  const double best = all.at("best").item();
  best_ = early_stopping_ ? best_ : best;
  if (early_stopping_) early_stopping_->resume(best, counters[3], part_of(all, "best."));
}

}  // namespace athanor::nn
