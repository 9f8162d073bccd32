// The arms of a run: baselines, the three-stage student, its variants.
#include <algorithm>

#include "distill/pipeline/pool_data.h"
#include "distill/pipeline/predict.h"
#include "distill/pipeline/run.h"
#include "distill/refine/label_trust.h"
#include "tensor/base/error.h"
#include "tensor/ops/softmax.h"

namespace athanor::distill {
namespace {

// Beside the run's seed, so that fine-tuning draws from no other training's numbers.
constexpr std::uint64_t kFineTuningSeed = 2000;

}  // namespace

ArmSettings DistillRun::base_arm(const std::string& name, const Recipe& r) const {
  ArmSettings s;
  s.name = name;
  s.rows = iota(r.pool.size);
  s.batch = r.train.batch;
  s.steps_per_epoch = std::max<std::int64_t>(1, (r.pool.size + s.batch - 1) / s.batch);
  s.steps = s.steps_per_epoch * r.train.epochs;
  s.lr = r.train.lr;
  s.schedule = nn::schedule_from_name(r.train.schedule);
  s.seed = r.seed;
  s.device = device_;
  s.precision = precision_;
  return s;
}

ControlSettings DistillRun::control_for(const Recipe& r) {
  ControlSettings c;
  c.use_bound = r.control.enabled && r.control.bound;
  c.bound.alpha = r.control.alpha;
  c.bound.beta = r.control.beta;
  c.bound.gamma = r.control.gamma;
  c.bound.seed_exact = r.control.seed_exact;
  c.dual.lambda_max = r.control.lambda_max;
  if (r.control.enabled && r.control.clip == "adaptive") c.clip.emplace();
  if (r.compensate.enabled) {
    c.compensation.emplace();
    c.compensation->act = r.compensate.act;
    // What is normal is learnt once the rate has peaked: before, norms change with the schedule.
    const std::int64_t steps = base_arm("", r).steps;
    c.compensation->settle = static_cast<int>(0.3 * static_cast<double>(steps));
    c.compensation->warm_up = static_cast<int>(std::max<std::int64_t>(40, steps / 14));
    c.compensation->seed_exact = r.compensate.seed_exact;
    std::copy(r.compensate.weights.begin(), r.compensate.weights.end(),
              c.compensation->weights.begin());
  }
  if (!c.use_bound) return c;
  c.probe_inputs = trusted_inputs_;
  c.probe_labels = trusted_labels_;
  if (r_.teacher.source == "pool") {
    // Nothing is trusted: the golden records that the scores trust most, labels as given.
    std::vector<std::int64_t> rows = refined_.kept;
    const auto score = [&](std::int64_t row) {
      return refined_.score[static_cast<std::size_t>(row)];
    };
    std::stable_sort(rows.begin(), rows.end(),
                     [&](std::int64_t a, std::int64_t b) { return score(a) > score(b); });
    rows.resize(std::min(rows.size(), static_cast<std::size_t>(r_.pool.trusted)));
    c.probe_inputs = data::gather_rows(pool_set_.inputs, rows);
    c.probe_labels = data::gather_rows(pool_.labels, rows);
  }
  if (c.probe_labels.numel() == 0) {
    raise(ErrorKind::usage, "pool.trusted: control needs a probe of trusted records, got 0");
  }
  c.probe_teacher = softmax(predict(*teacher_, c.probe_inputs).logits);
  return c;
}

void DistillRun::add_curriculum(const Recipe& r, ArmSettings& s) const {
  const auto floats = [](const std::vector<double>& v) {
    return std::vector<float>(v.begin(), v.end());
  };
  const auto labels = pool_.labels.to_vector<std::int64_t>();
  const auto el2n =
      floats(el2n_scores(to_probability_table(score_probabilities_, r_.pool.size), labels));
  s.pools = make_pools(s.rows, floats(refined_.column("novelty")), floats(refined_.score), el2n,
                       floats(refined_.column("label_trust")));
  SamplingOptions sampling;
  sampling.warm = {r.curriculum.warm[0], r.curriculum.warm[1]};
  sampling.converge = {r.curriculum.converge[0], r.curriculum.converge[1]};
  sampling.batch = r.train.batch;
  sampling.seed = r.seed;
  s.curriculum = sampling;
}

ArmSettings DistillRun::three_stage(const Recipe& r, const std::string& name) {
  ArmSettings s = base_arm(name, r);
  s.rows = rows_for(r);
  s.mix.kind = label_mix_kind(r.mix.hard);
  s.mix.max = r.mix.max;
  s.mix.start = r.mix.start;
  s.mix.end = r.mix.end;
  s.kd_weight = r.loss.kd;
  s.kd_every = r.loss.kd_every;
  s.distance = r.loss.distance;
  s.temperature =
      TemperatureSchedule(temperature_kind(r.temperature.schedule), r.temperature.values);
  if (r.refine.enabled) s.trust.assign(refined_.score.begin(), refined_.score.end());
  if (r.restructure.enabled && r.loss.relation > 0) {
    s.relation_weight = r.loss.relation;
    s.relations = [&units = units_for(r)](const std::vector<std::int64_t>& rows) {
      std::vector<std::int64_t> at;
      for (std::int64_t row : rows) at.push_back(units.position[static_cast<std::size_t>(row)]);
      return units.result.relation_targets(at);
    };
  }
  if (r.curriculum.enabled) add_curriculum(r, s);
  if (r.control.enabled || r.compensate.enabled) s.control = control_for(r);
  return s;
}

void DistillRun::train(const Recipe& r, const ArmSettings& settings, const TrainingSet& set) {
  stage(settings.name, [&] {
    arms_[settings.name] =
        train_arm(image_model_spec(data_.train, r.student.model, r.student.hidden), set, settings,
                  *log_, progress_, stop_);
  });
  arm_order_.push_back(settings.name);
}

void DistillRun::baselines() {
  TrainingSet untaught = pool_set_;
  untaught.teacher_logits = Tensor();
  train(r_, base_arm("baseline:student_alone", r_), untaught);
  ArmSettings vanilla = base_arm("baseline:vanilla_kd", r_);
  vanilla.mix = {LabelMixKind::constant, 0.5, 0.5, 0.5};
  train(r_, vanilla, pool_set_);
  if (r_.baselines == "standard") return;
  ArmSettings soft = base_arm("baseline:kd_no_hard", r_);
  soft.mix = {LabelMixKind::constant, 0, 0, 0};
  train(r_, soft, pool_set_);
  ArmSettings robust = base_arm("baseline:gce", r_);
  robust.gce_q = 0.7;
  train(r_, robust, untaught);
  ArmSettings oracle = base_arm("baseline:oracle_clean", r_);
  oracle.rows.clear();
  for (std::size_t i = 0; i < pool_.manifest.size(); ++i) {
    if (pool_.manifest[i].effective) oracle.rows.push_back(static_cast<std::int64_t>(i));
  }
  train(r_, oracle, untaught);
}

void DistillRun::variants() {
  const auto add = [&](const std::string& name, const std::vector<std::string>& settings) {
    const Recipe r = with_variant(r_, name, settings);
    // Without stage 1 the student's teacher is the one of the raw pool.
    const TrainingSet& set = r.refine.enabled ? student_set_ : pool_set_;
    train(r, three_stage(r, name), set);
  };
  if (r_.baselines == "ablation") {
    for (const auto& [name, settings] : ablation_variants()) add(name, settings);
  }
  for (const auto& [name, settings] : r_.variants) add("variant:" + name, settings);
}

// The three-stage student's own losses, at the ends of their schedules and on uniform batches,
// without a controller, whose statistics and units are those of a whole training; from a seed of
// its own.
ArmSettings DistillRun::fine_tuning() {
  Recipe r = r_;
  r.control.enabled = r.compensate.enabled = r.curriculum.enabled = false;
  ArmSettings s = three_stage(r, kInt8Arm);
  s.temperature = TemperatureSchedule(TemperatureKind::constant, {s.temperature.at(1)});
  if (s.mix.kind == LabelMixKind::scheduled) s.mix.start = s.mix.end;
  s.steps = s.steps_per_epoch * r_.quantize.epochs;
  s.lr = r_.quantize.lr;
  s.schedule = nn::ScheduleKind::cosine;
  s.seed = r_.seed + kFineTuningSeed;
  s.device = Device{};
  s.precision = DType::f32;
  return s;
}

void DistillRun::quantize() {
  QuantizeSettings settings;
  settings.records = r_.quantize.records;
  if (r_.quantize.mode == "qat") settings.fine_tune = fine_tuning();
  stage(kInt8Arm, [&] {
    quantized_ =
        quantize_student(*arms_.at("student").model, r_.refine.enabled ? student_set_ : pool_set_,
                         rows_for(r_), settings, *log_, progress_, stop_);
    nn::save_quantized(out_ / kInt8File, *quantized_->integer);
  });
}

void DistillRun::students() {
  baselines();
  train(r_, three_stage(r_, "student"), r_.refine.enabled ? student_set_ : pool_set_);
  nn::save_classifier(out_ / "student.safetensors", *arms_.at("student").model);
  variants();
}

}  // namespace athanor::distill
