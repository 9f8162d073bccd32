// Evaluation of all arms, once everything is trained.
#include "data/batches.h"
#include "distill/pipeline/int8_summary.h"
#include "distill/pipeline/pool_data.h"
#include "distill/pipeline/run.h"
#include "distill/pipeline/summary.h"

namespace athanor::distill {
namespace {

using Json = nlohmann::json;

// "baseline:vanilla_kd" -> "vanilla_kd".
std::string plain_name(const std::string& arm) {
  return arm.starts_with("baseline:") ? arm.substr(arm.find(':') + 1) : arm;
}

}  // namespace

Json DistillRun::judge_int8(const Tensor& inputs, const Tensor& labels, Json& table) {
  nn::Classifier& student = *arms_.at("student").model;
  Json int8 = int8_summary(student, *quantized_, inputs, labels);
  int8["mode"] = r_.quantize.mode;
  int8["bytes"] = std::filesystem::file_size(out_ / kInt8File);
  int8["bytes_f32"] = std::filesystem::file_size(out_ / "student.safetensors");
  const auto row = [&](const std::string& name, const Json& scores, std::int64_t steps,
                       double seconds) {
    table.push_back({{"name", name},
                     {"accuracy", scores["accuracy"]},
                     {"f1", scores["f1"]},
                     {"params", student.parameter_count()},
                     {"steps", steps},
                     {"seconds", seconds}});
  };
  row(kInt8Arm, int8, quantized_->steps, quantized_->seconds);
  if (int8.contains("ptq")) row(str(kInt8Arm, "_ptq"), int8["ptq"], 0, 0);
  return int8;
}

void DistillRun::judge() {
  const bool test = r_.evaluate.split == "test";
  const Tensor inputs = test ? inputs_of(data_.test.images, iota(data_.test.size()))
                             : inputs_of(data_.train.images, validation_rows_);
  const Tensor labels =
      test ? data_.test.labels : data::gather_rows(data_.train.labels, validation_rows_);
  Json confusion = Json::object(), table = Json::array();
  const auto row = [&](const std::string& name, nn::Classifier& model, double seconds,
                       std::int64_t steps) {
    Json result = score_model(model, inputs, labels);
    confusion[plain_name(name)] = result["confusion"];
    result.erase("confusion");
    Json entry = result;
    entry["name"] = name;
    entry["seconds"] = seconds;
    entry["steps"] = steps;
    table.push_back(entry);
    return result;
  };
  summary_["evaluated_on"] = {{"split", r_.evaluate.split}, {"records", labels.numel()}};
  summary_["teacher"] = row("teacher", *teacher_, seconds_["teacher"], 0);
  if (raw_teacher_) {
    summary_["raw_teacher"] = row("teacher:raw", *raw_teacher_, seconds_["teacher:raw"], 0);
  }
  summary_["baselines"] = Json::object();
  summary_["variants"] = Json::object();
  Json ignored = Json::array();
  for (const std::string& name : arm_order_) {
    ArmResult& arm = arms_.at(name);
    Json result = row(name, *arm.model, arm.seconds, arm.steps);
    if (name == "student") {
      summary_["student"] = result;
    } else if (name.starts_with("baseline:")) {
      summary_["baselines"][plain_name(name)] = result;
    } else {
      result["control"] = control_summary(arm, ignored);
      summary_["variants"][name] = result;
    }
  }
  if (quantized_) {
    Json int8 = judge_int8(inputs, labels, table);
    confusion[kInt8Arm] = int8["confusion"];
    int8.erase("confusion");
    summary_["int8"] = int8;
  }
  summary_["speed"] = inference_times(*teacher_, *arms_.at("student").model,
                                      quantized_ ? quantized_->integer.get() : nullptr, inputs);
  summary_["confusion"] = confusion;
  summary_["table"] = table;
  summary_["control"] = control_summary(arms_.at("student"), notes_);
  const double gain = summary_["student"]["f1"].get<double>() -
                      summary_["baselines"]["vanilla_kd"]["f1"].get<double>();
  if (gain <= 0) {
    notes_.push_back("No gain here: the three-stage student is not above vanilla KD in this run.");
  }
}

}  // namespace athanor::distill
