#include "distill/pipeline/arm.h"

#include <chrono>
#include <cmath>
#include <deque>

#include "autograd/autocast.h"
#include "autograd/ops.h"
#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/device.h"
#include "autograd/ops/softmax.h"
#include "data/batch_order.h"
#include "data/batches.h"
#include "distill/losses/guidance.h"
#include "distill/losses/relation.h"
#include "distill/pipeline/pool_data.h"
#include "nn/amp.h"
#include "nn/clip.h"
#include "nn/optim.h"

namespace athanor::distill {
namespace {

constexpr int kMaxSkipped = 20;           // steps without a finite gradient before giving up
constexpr std::int64_t kLogEvery = 10;    // steps
constexpr double kAdversarialStep = 0.1;  // FGSM step on normalised inputs
constexpr std::size_t kLossWindow = 50;   // steps over which the loss variance is taken

double variance_of(const std::deque<double>& values) {
  double mean = 0, total = 0;
  for (double v : values) mean += v;
  mean /= static_cast<double>(std::max<std::size_t>(values.size(), 1));
  for (double v : values) total += (v - mean) * (v - mean);
  return values.empty() ? 0 : total / static_cast<double>(values.size());
}

// Share of entries that are exactly 0, as ReLU leaves them.
double zero_share(const Tensor& x) {
  const float* values = x.data<float>();
  std::int64_t zeros = 0;
  for (std::int64_t i = 0; i < x.numel(); ++i) zeros += values[i] == 0.0f;
  return x.numel() ? static_cast<double>(zeros) / static_cast<double>(x.numel()) : 0;
}

// Mean over records and classes of (softmax - target)^2 on the probe, in evaluation mode.
struct ProbeErrors {
  double teacher = 0, student = 0, distance = 0;
};

// The model's parameters once it has moved.
std::vector<Variable> on_device(nn::Module& model, Device device) {
  model.to(device);
  return model.parameters();
}

// What trains: a module, and how it gives logits and features.
struct Trainee {
  nn::Module& module;
  std::function<nn::Output(const Variable&)> run;
};

class ArmTrainer {
 public:
  ArmTrainer(Trainee model, const TrainingSet& set, const ArmSettings& s, RunLog& log)
      : set_(set),
        s_(s),
        log_(log),
        shifts_(Generator(s.seed).fork(2)),
        model_(std::move(model)),
        optimizer_(on_device(model_.module, s.device)),
        scaler_({.enabled = s.precision == DType::f16}),
        schedule_{s.schedule, s.lr, s.steps},
        order_(static_cast<std::int64_t>(s.rows.size()),
               {std::min<std::int64_t>(s.batch, static_cast<std::int64_t>(s.rows.size())), s.seed,
                true, true}),
        mix_(s.mix) {
    if (s.curriculum) sampler_.emplace(s.pools, *s.curriculum);
    if (!s.control) return;
    if (s.control->clip) clip_.emplace(*s.control->clip);
    if (s.control->compensation) compensation_.emplace(*s.control->compensation);
    if (s.control->use_bound) {
      const ProbeErrors start = probe();
      bound_.emplace(s.control->bound, start.distance);
      dual_.emplace(s.control->dual);
    }
  }

  ArmResult run(ProgressSink& progress, const StopRequest& stop) {
    const auto begun = std::chrono::steady_clock::now();
    ProgressTask task(progress, s_.name, s_.steps, "steps");
    for (step_ = 0; step_ < s_.steps; ++step_) {
      if (stop && stop()) throw Interrupted{};
      advance();
      if (step_ % 20 == 19) task.update(step_ + 1, str("loss ", loss_value_));
    }
    task.set_result(str("loss ", loss_value_));
    model_.module.eval();
    model_.module.to(Device{});
    ArmResult result;
    result.steps = s_.steps;
    result.final_loss = loss_value_;
    if (dual_) {
      result.bound = dual_->report();
      result.epsilon_final = epsilon_;
    }
    if (clip_) result.clip = clip_->report();
    if (compensation_) result.compensation = compensation_->report();
    result.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    return result;
  }

 private:
  double share_done() const {
    return static_cast<double>(step_) / static_cast<double>(std::max<std::int64_t>(s_.steps, 1));
  }

  // A constant beside the model.
  Variable there(const Tensor& t) const { return Variable(to(t, s_.device)); }

  bool guided() const {
    return step_ % s_.kd_every == 0 ||
           (compensation_ && compensation_->actions().teacher_every_step);
  }

  std::vector<std::int64_t> next_rows() {
    if (sampler_) return sampler_->next(share_done());
    std::vector<std::int64_t> rows = order_.next();
    for (std::int64_t& r : rows) r = s_.rows[static_cast<std::size_t>(r)];
    return rows;
  }

  ProbeErrors probe() {
    NoGrad no_grad;
    model_.module.eval();
    const ControlSettings& c = *s_.control;
    const Tensor logits = model_.run(there(c.probe_inputs)).logits.tensor();
    const Tensor p = softmax(to(logits, Device{}));
    model_.module.train();
    Tensor targets = zeros(p.shape());
    const std::int64_t K = p.size(1);
    const auto labels = c.probe_labels.to_vector<std::int64_t>();
    for (std::size_t i = 0; i < labels.size(); ++i) {
      targets.data<float>()[static_cast<std::int64_t>(i) * K + labels[i]] = 1;
    }
    const auto mse = [](const Tensor& a, const Tensor& b) {
      return mean(square(sub(a, b))).item();
    };
    return {mse(c.probe_teacher, targets), mse(p, targets), mse(p, c.probe_teacher)};
  }

  // The loss of a batch; `terms` gets its weighted parts by name.
  Variable loss_of(const nn::Output& out, const std::vector<std::int64_t>& rows, double temperature,
                   std::vector<std::pair<std::string, double>>& terms);
  void advance();
  void add_adversarial(const Tensor& x, const std::vector<std::int64_t>& rows, double share,
                       double temperature);
  void control_step(const CompensationReading& reading, const ClipDecision& clip);

  const TrainingSet& set_;
  const ArmSettings& s_;
  RunLog& log_;
  Generator shifts_;
  Trainee model_;
  nn::AdamW optimizer_;
  nn::LossScaler scaler_;
  nn::Schedule schedule_;
  data::BatchOrder order_;
  LabelMix mix_;
  std::optional<CurriculumSampler> sampler_;
  std::optional<ClipLink> clip_;
  std::optional<Compensation> compensation_;
  std::optional<ErrorBound> bound_;
  std::optional<DualAscent> dual_;
  std::int64_t step_ = 0;
  int skipped_ = 0;
  double loss_value_ = 0, epsilon_ = 0, d_value_ = 0, sparsity_ = 0;
  std::deque<double> recent_;
};

Variable ArmTrainer::loss_of(const nn::Output& out, const std::vector<std::int64_t>& rows,
                             double temperature,
                             std::vector<std::pair<std::string, double>>& terms) {
  const Tensor labels = to(data::gather_rows(set_.labels, rows), s_.device);
  const bool teacher = set_.teacher_logits.defined() && s_.kd_weight > 0 && guided();
  Variable total;
  const auto add_term = [&](const char* name, const Variable& term) {
    terms.emplace_back(name, term.item());
    total = total.defined() ? add(total, term) : term;
  };
  std::vector<float> trust(rows.size(), 1.0f);
  for (std::size_t i = 0; i < rows.size() && !s_.trust.empty(); ++i) {
    trust[i] = s_.trust[static_cast<std::size_t>(rows[i])];
  }
  const Shape shape{static_cast<std::int64_t>(rows.size())};
  if (!teacher && s_.gce_q > 0) {
    add_term("gce", gce(out.logits, labels, s_.gce_q));
  } else if (!teacher) {
    add_term("ce", s_.trust.empty()
                       ? cross_entropy(out.logits, labels)
                       : cross_entropy(out.logits, labels, there(from_values(trust, shape))));
  } else {
    const std::vector<float> hard = mix_.weights(share_done(), trust);
    std::vector<float> soft(hard.size());
    for (std::size_t i = 0; i < hard.size(); ++i) soft[i] = 1 - hard[i];
    const Variable targets = there(data::gather_rows(set_.teacher_logits, rows));
    if (!mix_.is_zero()) {
      add_term("ce", cross_entropy(out.logits, labels, there(from_values(hard, shape))));
    }
    add_term("kd", mul(guidance_loss(s_.distance, out.logits, targets, temperature,
                                     there(from_values(soft, shape))),
                       s_.kd_weight));
    if (dual_) {
      const Variable d = probability_mse(softmax(out.logits), softmax(targets.tensor()));
      d_value_ = d.item();
      if (dual_->lambda() > 0) add_term("bound", mul(d, dual_->lambda()));
    }
  }
  if (s_.relation_weight > 0) {
    add_term("relation", mul(cosine_relation_loss(out.features, to(s_.relations(rows), s_.device)),
                             s_.relation_weight));
  }
  return total;
}

// FGSM (Goodfellow et al. 2015): the gradient of the loss at inputs moved by its sign is added.
void ArmTrainer::add_adversarial(const Tensor& x, const std::vector<std::int64_t>& rows,
                                 double share, double temperature) {
  const auto count = static_cast<std::int64_t>(share * static_cast<double>(rows.size()) + 0.5);
  if (count < 2) return;
  const std::vector<std::int64_t> some(rows.begin(), rows.begin() + count);
  const Variable inputs(clone(slice(x, 0, 0, count)), true);
  std::vector<std::pair<std::string, double>> terms;
  const Variable loss = loss_of(model_.run(inputs), some, temperature, terms);
  const Tensor direction = sign(grad({loss}, {inputs})[0].tensor());
  const Tensor moved = add(inputs.tensor(), mul(direction, kAdversarialStep));
  scaler_.scale(mul(loss_of(model_.run(Variable(moved)), some, temperature, terms), share))
      .backward();
}

void ArmTrainer::advance() {
  const std::vector<std::int64_t> rows = next_rows();
  const double temperature = s_.temperature.at(share_done());
  const double before =
      static_cast<double>(step_ - 1) / static_cast<double>(std::max<std::int64_t>(s_.steps, 1));
  if (dual_ && step_ > 0 && s_.temperature.jumps(before, share_done())) dual_->freeze();
  Tensor x = data::gather_rows(set_.inputs, rows);
  if (s_.shift > 0) x = shifted(x, s_.shift, shifts_);
  x = to(x, s_.device);
  model_.module.zero_grad();
  StepEvent event;
  nn::Output out;
  Variable loss;
  {
    const Autocast scope(s_.precision);
    out = model_.run(Variable(x));
    loss = loss_of(out, rows, temperature, event.loss_terms);
  }
  loss_value_ = loss.item();
  scaler_.scale(loss).backward();
  const CompensationActions actions =
      compensation_ ? compensation_->actions() : CompensationActions{};
  if (actions.adversarial_share > 0) {
    add_adversarial(x, rows, actions.adversarial_share, temperature);
  }
  std::vector<Variable>& parameters = optimizer_.parameters();
  scaler_.unscale(parameters);  // what is not finite is skipped below
  const double norm = nn::gradient_norm(parameters);
  ClipDecision clip;
  clip.skip = !std::isfinite(norm);
  if (clip_) clip = clip_->step(norm);
  if (clip.skip) {
    if (++skipped_ >= kMaxSkipped) {
      raise(ErrorKind::diverged, s_.name, ": ", kMaxSkipped,
            " steps in a row without a finite gradient, the last at step ", step_);
    }
    return;
  }
  skipped_ = 0;
  if (clip.scale != 1) nn::scale_gradients(parameters, clip.scale);
  const double rate = schedule_.rate(step_) * clip.lr_factor * actions.lr_factor;
  optimizer_.step(rate);
  recent_.push_back(loss_value_);
  if (recent_.size() > kLossWindow) recent_.pop_front();
  sparsity_ = zero_share(cast(to(out.features.tensor(), Device{}), DType::f32));
  CompensationReading reading;
  if (compensation_) reading = compensation_->check(norm, variance_of(recent_), sparsity_);
  control_step(reading, clip);
  if (step_ % kLogEvery != 0) return;
  event.run = s_.name;
  event.step = step_;
  event.epoch = static_cast<double>(step_) / static_cast<double>(s_.steps_per_epoch);
  event.loss = loss_value_;
  event.lr = rate;
  event.grad_norm = norm;
  if (set_.teacher_logits.defined()) event.temperature = temperature;
  if (clip_) event.clip_rate = clip.clip_rate;
  if (dual_) {
    event.epsilon = epsilon_;
    event.d = dual_->d();
    event.lambda = dual_->lambda();
  }
  if (sampler_) {
    const auto mix = sampler_->mix(share_done());
    event.mix = {mix[0], mix[1], mix[2]};
  }
  if (compensation_) event.delta_l = reading.delta_l;
  log_.step(event);
}

void ArmTrainer::control_step(const CompensationReading& reading, const ClipDecision& clip) {
  if (bound_) {
    const double epochs = static_cast<double>(step_) / static_cast<double>(s_.steps_per_epoch);
    if (step_ % s_.steps_per_epoch == 0) {
      const ProbeErrors errors = probe();
      bound_->observe(errors.teacher, errors.student);
    }
    epsilon_ = bound_->at(epochs).value;
    if (guided()) dual_->update(d_value_, epsilon_);
  }
  if (clip.change != RateChange::none) {
    log_.action(
        {s_.name, step_, clip.change == RateChange::down ? "lr_down" : "lr_up", clip.lr_factor});
  }
  if (reading.change == AlarmChange::none) return;
  const bool raised = reading.change == AlarmChange::raised;
  log_.alarm(
      {s_.name, step_, raised, name_of(reading.dominant), reading.delta_l, reading.threshold});
  if (!raised) return;
  const CompensationActions actions = compensation_->actions();
  switch (reading.dominant) {
    case Symptom::gradient_norm:
      return log_.action({s_.name, step_, "lr_decay", actions.lr_factor});
    case Symptom::loss_variance:
      // With a teacher in every step there is nothing to add: the value is then 0.
      return log_.action({s_.name, step_, "teacher_every_step", s_.kd_every > 1 ? 1.0 : 0.0});
    case Symptom::activation_sparsity:
      return log_.action({s_.name, step_, "adversarial", actions.adversarial_share});
  }
}

// `model` has run(x), as Classifier.
template <class Model>
ArmResult train(Model& model, const TrainingSet& set, const ArmSettings& settings, RunLog& log,
                ProgressSink& progress, const StopRequest& stop) {
  if (settings.rows.empty()) {
    raise(ErrorKind::runtime, settings.name, ": expected records to learn from, got none");
  }
  const Trainee trainee{model, [&model](const Variable& x) { return model.run(x); }};
  return ArmTrainer(trainee, set, settings, log).run(progress, stop);
}

}  // namespace

ArmResult train_arm(const nn::ModelSpec& spec, const TrainingSet& set, const ArmSettings& settings,
                    RunLog& log, ProgressSink& progress, const StopRequest& stop) {
  Generator generator = Generator(settings.seed).fork(1);
  const auto model = std::make_shared<nn::Classifier>(spec, generator);
  ArmResult result = train(*model, set, settings, log, progress, stop);
  result.model = model;
  return result;
}

ArmResult fine_tune_arm(nn::FakeQuantizedModel& model, const TrainingSet& set,
                        const ArmSettings& settings, RunLog& log, ProgressSink& progress,
                        const StopRequest& stop) {
  return train(model, set, settings, log, progress, stop);
}

}  // namespace athanor::distill
