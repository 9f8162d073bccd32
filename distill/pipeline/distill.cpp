#include "distill/pipeline/distill.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>

#include "data/image_formats.h"
#include "distill/pipeline/run.h"
#include "distill/report/report.h"
#include "nn/models.h"
#include "tensor/base/error.h"
#include "tensor/base/parallel.h"
#include "tensor/base/version.h"
#include "tensor/io/atomic_file.h"

namespace athanor::distill {

DistillRun::DistillRun(const Recipe& recipe, const DistillOptions& options)
    : r_(recipe),
      out_(options.out),
      progress_(options.progress ? *options.progress : silent_),
      stop_(options.stop),
      device_(options.device),
      precision_(options.precision) {}

std::string DistillRun::all() {
  const auto begun = std::chrono::steady_clock::now();
  read_inputs();  // before an earlier run's log is replaced
  log_ = std::make_unique<RunLog>(out_);
  log_->start({kVersion, str(device_), num_threads(), r_.seed});
  write_file_atomically(out_ / "recipe.toml", to_toml(r_));
  // An earlier run's must not stand beside another student.
  std::filesystem::remove(out_ / kInt8File);
  stage("data", [&] { plant(); });
  if (r_.teacher.source == "clean") {
    stage("teacher", [&] { teach(); });
    stage("refine", [&] { refine(); });
  } else {
    teach_from_pool();
  }
  stage("restructure", [&] { restructure_for_report(); });
  students();
  if (r_.quantize.enabled) quantize();
  stage("evaluate", [&] { judge(); });
  summary_["data"] = {
      {"train", data_.train.size()}, {"test", data_.test.size()}, {"pool", r_.pool.size}};
  summary_["name"] = r_.name;
  summary_["classes"] = data_.train.class_names;
  summary_["notes"] = notes_;
  summary_["seed"] = r_.seed;
  summary_["version"] = kVersion;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  summary_["peak_memory_mb"] = static_cast<double>(usage.ru_maxrss) / 1024;
  summary_["device"] = str(device_);
  summary_["precision"] = name_of(precision_);
  summary_["threads"] = num_threads();
  seconds_["total"] =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  summary_["seconds"] = seconds_;
  const std::string text = summary_.dump(2) + "\n";
  write_file_atomically(out_ / "summary.json", text);
  write_report(out_);
  return text;
}

std::string run_distill(const Recipe& recipe, const DistillOptions& options) {
  check_recipe(recipe);
  if (recipe.quantize.enabled) check_quantizable(recipe.student.model);
  const std::vector<std::string> images = data::image_formats();
  if (std::find(images.begin(), images.end(), recipe.data.format) == images.end() ||
      recipe.train.optimizer != "adamw") {
    raise(ErrorKind::usage,
          "distill: expected data.format idx (or images of the program's own) and "
          "train.optimizer adamw, got ",
          recipe.data.format, " and ", recipe.train.optimizer);
  }
  return DistillRun(recipe, options).all();
}

}  // namespace athanor::distill
