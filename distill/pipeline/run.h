// The state of one distillation run; its parts are in distill.cpp (order), stages.cpp (data,
// teacher, stages 1 and 2), students.cpp (arms, INT8) and judge.cpp (evaluation). Private to this
// folder.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "data/batches.h"
#include "data/image_set.h"
#include "distill/pipeline/arm.h"
#include "distill/pipeline/distill.h"
#include "distill/pipeline/quantize_stage.h"
#include "distill/pipeline/refine_stage.h"
#include "distill/recipe/recipe.h"
#include "distill/refine/plant.h"
#include "distill/restructure/restructure.h"
#include "tensor/base/profile.h"

namespace athanor::distill {

class DistillRun {
 public:
  DistillRun(const Recipe& recipe, const DistillOptions& options);
  // All stages in order; returns the text of summary.json.
  std::string all();

 private:
  // Stage 2 on some of the pool's records.
  struct Units {
    RestructureResult result;
    std::vector<std::int64_t> position;  // by row of the pool; -1 where it is no unit
  };

  template <class F>
  void stage(const std::string& name, F&& body) {
    const ProfileSpan span(name.c_str());
    log_->stage_begin(name);
    body();
    seconds_[name] = log_->stage_end(name);
  }
  // stages.cpp
  void read_inputs();
  void plant();
  void teach();
  void teach_from_pool();
  void refine();
  void restructure_for_report();
  Units make_units(const Recipe& r, const std::vector<std::int64_t>& rows);
  // The units that a student of recipe `r` learns relations from; made once for equal settings.
  const Units& units_for(const Recipe& r);
  std::vector<std::int64_t> rows_for(const Recipe& r) const;
  nn::ModelSpec teacher_spec() const;
  // students.cpp
  ArmSettings base_arm(const std::string& name, const Recipe& r) const;
  ArmSettings three_stage(const Recipe& r, const std::string& name);
  ControlSettings control_for(const Recipe& r);
  void add_curriculum(const Recipe& r, ArmSettings& s) const;
  void train(const Recipe& r, const ArmSettings& settings, const TrainingSet& set);
  void students();
  void baselines();
  void variants();
  ArmSettings fine_tuning();
  void quantize();
  // judge.cpp
  void judge();
  nlohmann::json judge_int8(const Tensor& inputs, const Tensor& labels, nlohmann::json& table);

  const Recipe& r_;
  std::filesystem::path out_;
  NoProgress silent_;
  ProgressSink& progress_;
  StopRequest stop_;
  Device device_;
  DType precision_;
  std::unique_ptr<RunLog> log_;
  data::ImageData data_;
  std::vector<std::int64_t> teacher_rows_, validation_rows_;  // of the clean training images
  PlantedPool pool_;
  Tensor trusted_inputs_, trusted_labels_;
  TrainingSet pool_set_;     // with the logits of the teacher that baselines learn from
  TrainingSet student_set_;  // with those of the three-stage student's teacher
  Tensor pool_features_;     // of the latter, f32 [N, d]
  std::shared_ptr<nn::Classifier> teacher_, raw_teacher_;
  Tensor score_probabilities_;  // that stage 1 judges labels by: the teacher's, or out of fold
  RefineStageResult refined_;
  std::map<std::string, Units> units_;  // by settings
  std::map<std::string, ArmResult> arms_;
  std::vector<std::string> arm_order_;
  std::optional<QuantizedStudent> quantized_;
  nlohmann::json seconds_ = nlohmann::json::object(), summary_ = nlohmann::json::object(),
                 notes_ = nlohmann::json::array();
};

}  // namespace athanor::distill
