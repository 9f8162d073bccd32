#include <algorithm>

#include "data/image_formats.h"
#include "distill/losses/guidance.h"
#include "distill/recipe/recipe.h"
#include "nn/models.h"
#include "tensor/base/error.h"

namespace athanor::distill {
namespace {

void expect_one_of(const char* key, const std::string& value,
                   const std::vector<std::string>& choices) {
  if (std::find(choices.begin(), choices.end(), value) != choices.end()) return;
  std::string list;
  for (const std::string& choice : choices) list += (list.empty() ? "" : ", ") + choice;
  raise(ErrorKind::usage, key, ": expected one of ", list, "; got ", value);
}
template <class... Ts>
void expect_one_of(const char* key, const std::string& value, Ts... choices) {
  expect_one_of(key, value, std::vector<std::string>{choices...});
}

void expect(bool ok, const char* key, const char* range, double value) {
  if (!ok) raise(ErrorKind::usage, key, ": expected ", range, ", got ", value);
}

void check_training(const Recipe& r) {
  const auto& t = r.train;
  const auto at_least_1 = [](const char* key, std::int64_t value) {
    expect(value >= 1, key, "1 or more", static_cast<double>(value));
  };
  const auto share = [](const char* key, double value) {
    expect(value >= 0 && value < 1, key, "a number in [0, 1)", value);
  };
  expect_one_of("train.optimizer", t.optimizer, "adamw", "adam", "sgd", "lamb", "lion", "muon");
  expect_one_of("train.schedule", t.schedule, "constant", "linear", "cosine", "one_cycle", "step",
                "warm_stable_decay");
  at_least_1("train.batch", t.batch);
  at_least_1("train.epochs", t.epochs);
  at_least_1("train.accumulate", t.accumulate);
  at_least_1("train.repeats", t.repeats);
  at_least_1("student.width", r.student.width);
  at_least_1("student.layers", r.student.layers);
  at_least_1("student.heads", r.student.heads);
  at_least_1("student.context", r.student.context);
  expect(t.lr > 0, "train.lr", "a rate above 0", t.lr);
  expect(t.shift >= 0 && t.shift <= 8, "train.shift", "0 to 8 pixels",
         static_cast<double>(t.shift));
  expect(t.patience >= 0, "train.patience", "0 or more", static_cast<double>(t.patience));
  expect(t.weight_decay >= 0, "train.weight_decay", "0 or more", t.weight_decay);
  expect(t.clip >= 0, "train.clip", "0 or more", t.clip);
  share("train.warmup", t.warmup);
  share("train.average", t.average);
  share("train.label_smoothing", t.label_smoothing);
  share("student.dropout", r.student.dropout);
}

void check_quantization(const Recipe& r) {
  const auto& q = r.quantize;
  expect_one_of("quantize.mode", q.mode, "qat", "ptq");
  expect(q.epochs >= 1, "quantize.epochs", "1 or more", static_cast<double>(q.epochs));
  expect(q.lr > 0, "quantize.lr", "a rate above 0", q.lr);
  expect(q.records >= 1, "quantize.records", "1 or more", static_cast<double>(q.records));
}

}  // namespace

void check_recipe(const Recipe& r) {
  std::vector<std::string> formats = data::image_formats();
  for (const char* other : {"graph", "characters", "speech", "text"}) formats.push_back(other);
  expect_one_of("data.format", r.data.format, formats);
  expect_one_of("loss.distance", r.loss.distance, guidance_losses());
  expect_one_of("pool.mixture", r.pool.mixture, "easy", "standard", "hard");
  expect_one_of("teacher.source", r.teacher.source, "clean", "pool");
  expect_one_of("trust.teacher", r.trust.teacher, "posterior", "golden");
  expect_one_of("refine.select", r.refine.select, "threshold", "retention", "budget");
  expect_one_of("refine.learn", r.refine.learn, "usable", "golden");
  expect_one_of("evaluate.split", r.evaluate.split, "test", "validation");
  std::vector<std::string> teachers = nn::registered_models();
  teachers.insert(teachers.begin(), {"cnn", "mlp"});
  expect_one_of("teacher.model", r.teacher.model, teachers);
  check_training(r);
  check_quantization(r);
  expect_one_of("restructure.relation", r.restructure.relation, "decoded", "attention", "blend",
                "raw");
  expect_one_of("mix.hard", r.mix.hard, "trust", "constant", "scheduled");
  expect_one_of("control.clip", r.control.clip, "adaptive", "none");
  expect_one_of("temperature.schedule", r.temperature.schedule, "stages", "linear", "cosine",
                "constant");
  expect_one_of("baselines", r.baselines, "standard", "all", "ablation");
  expect(r.pool.size >= 100, "pool.size", "at least 100", static_cast<double>(r.pool.size));
  expect(r.pool.effective > 0 && r.pool.effective < 1, "pool.effective", "a share in (0, 1)",
         r.pool.effective);
  expect(r.pool.trusted >= 0, "pool.trusted", "0 or more", static_cast<double>(r.pool.trusted));
  expect(r.teacher.epochs >= 1, "teacher.epochs", "1 or more",
         static_cast<double>(r.teacher.epochs));
  expect(r.refine.threshold >= 0 && r.refine.threshold < 1, "refine.threshold",
         "a probability in [0, 1)", r.refine.threshold);
  expect(r.refine.retention > 0 && r.refine.retention <= 1, "refine.retention", "a share in (0, 1]",
         r.refine.retention);
  expect(r.refine.budget >= 1, "refine.budget", "1 or more", static_cast<double>(r.refine.budget));
  expect(r.trust.folds >= 2, "trust.folds", "2 or more", static_cast<double>(r.trust.folds));
  expect(r.trust.rounds >= 1, "trust.rounds", "1 or more", static_cast<double>(r.trust.rounds));
  expect(r.trust.epochs >= 1, "trust.epochs", "1 or more", static_cast<double>(r.trust.epochs));
  expect(r.trust.q > 0 && r.trust.q <= 1, "trust.q", "an exponent in (0, 1]", r.trust.q);
  expect(r.data.side >= 1, "data.side", "1 or more", static_cast<double>(r.data.side));
  expect(r.loss.kd_every >= 1, "loss.kd_every", "1 or more", static_cast<double>(r.loss.kd_every));
  expect(r.evaluate.size >= 1, "evaluate.size", "1 or more", static_cast<double>(r.evaluate.size));
  expect(r.control.lambda_max > 0, "control.lambda_max", "above 0", r.control.lambda_max);
  for (double w : {r.mix.start, r.mix.end}) {
    expect(w >= 0 && w <= 1, "mix.start, mix.end", "weights in [0, 1]", w);
  }
  expect(r.restructure.compression >= 1, "restructure.compression", "1 or more",
         static_cast<double>(r.restructure.compression));
  expect(r.restructure.neighbours >= 1, "restructure.neighbours", "1 or more",
         static_cast<double>(r.restructure.neighbours));
  expect(r.mix.max >= 0 && r.mix.max <= 1, "mix.max", "a weight in [0, 1]", r.mix.max);
  expect(r.loss.kd >= 0 && r.loss.relation >= 0 && r.loss.kd + r.loss.relation > 0, "losses",
         "weights >= 0 that are not all 0", r.loss.kd);
  expect(!r.temperature.values.empty(), "temperature.values", "at least one", 0);
  for (double t : r.temperature.values) expect(t > 0, "temperature.values", "values above 0", t);
  expect(r.compensate.weights.size() == 3, "compensate.weights", "3 weights",
         static_cast<double>(r.compensate.weights.size()));
  expect(r.curriculum.warm.size() == 2, "curriculum.warm", "2 shares",
         static_cast<double>(r.curriculum.warm.size()));
  expect(r.curriculum.converge.size() == 2, "curriculum.converge", "2 shares",
         static_cast<double>(r.curriculum.converge.size()));
  if (r.teacher.source == "pool" && !r.teacher.file.empty()) {
    raise(ErrorKind::usage, "teacher.file: teacher.source = \"pool\" trains its own, got ",
          r.teacher.file);
  }
  for (const auto& [name, settings] : r.variants) with_variant(r, name, settings);
}

Recipe with_variant(const Recipe& recipe, const std::string& name,
                    const std::vector<std::string>& settings) {
  Recipe result = recipe;
  result.variants.clear();
  for (const std::string& setting : settings) {
    const std::string section = setting.substr(0, setting.find_first_of(".="));
    for (const char* shared : {"name", "seed", "baselines", "data", "pool", "teacher", "trust",
                               "evaluate", "variants"}) {
      if (section == shared) {
        raise(ErrorKind::usage, "variants.", name, ": expected settings of the student, got ",
              setting, ", which all students of a run share");
      }
    }
    if (section == "quantize") {
      raise(ErrorKind::usage, "variants.", name, ": expected settings of training in f32, got ",
            setting, "; of a run's students the three-stage student alone becomes INT8");
    }
    try {
      set_key(result, setting);
      check_recipe(result);
    } catch (const Error& error) {
      raise(ErrorKind::usage, "variants.", name, ": ", error.what());
    }
  }
  return result;
}

const std::vector<std::pair<std::string, std::vector<std::string>>>& ablation_variants() {
  static const std::vector<std::pair<std::string, std::vector<std::string>>> variants = {
      {"without:refine", {"refine.enabled=false"}},
      {"without:restructure", {"restructure.enabled=false"}},
      {"without:control", {"control.enabled=false", "compensate.enabled=false"}},
      {"without:bound", {"control.bound=false"}},
      {"without:compensation", {"compensate.enabled=false"}},
      {"filter_alone",
       {"mix.max=0", "mix.start=0", "mix.end=0", "restructure.enabled=false",
        "control.enabled=false", "compensate.enabled=false"}},
      {"relation_alone",
       {"refine.enabled=false", "mix.max=0", "mix.start=0", "mix.end=0", "control.enabled=false",
        "compensate.enabled=false"}},
  };
  return variants;
}

}  // namespace athanor::distill
