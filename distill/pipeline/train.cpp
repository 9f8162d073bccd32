#include "distill/pipeline/train.h"

#include <sys/resource.h>

#include <chrono>

#include "distill/pipeline/train_job.h"
#include "tensor/base/error.h"
#include "tensor/base/parallel.h"
#include "tensor/base/profile.h"
#include "tensor/base/version.h"
#include "tensor/io/atomic_file.h"

namespace athanor::distill {
namespace {

nlohmann::json train_by_format(TrainJob& job) {
  const std::string& format = job.recipe.data.format;
  if (format == "graph") return train_graph(job);
  if (format == "characters") return train_characters(job);
  if (format == "speech") return train_speech(job);
  if (format == "text") return train_text(job);
  return train_images(job);
}

// Processor seconds of all threads so far.
double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

std::string run_train(const Recipe& recipe, const DistillOptions& options) {
  check_recipe(recipe);
  if (options.precision == DType::f16) {
    raise(ErrorKind::usage,
          "--precision: train knows f32 and bf16 (f16 needs a loss scale), got f16");
  }
  const auto begun = std::chrono::steady_clock::now();
  NoProgress silent;
  ProgressSink& progress = options.progress ? *options.progress : silent;
  TrainJob job{recipe, options, progress};
  const ProfileSpan span(recipe.name.c_str());
  nlohmann::json summary = train_by_format(job);
  const double seconds = job.log->stage_end("model");
  summary["name"] = recipe.name;
  summary["seconds"] = {
      {"train", seconds},
      {"cpu", cpu_seconds()},
      {"total", std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count()}};
  summary["seed"] = recipe.seed;
  summary["version"] = kVersion;
  summary["device"] = str(options.device);
  summary["precision"] = name_of(options.precision);
  summary["threads"] = num_threads();
  const std::string text = summary.dump(2) + "\n";
  write_file_atomically(options.out / "summary.json", text);
  return text;
}

}  // namespace athanor::distill
