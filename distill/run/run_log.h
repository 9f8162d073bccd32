// The log of a run: `log.jsonl` in the run directory (one JSON object a line, each written with one
// system call, so that a killed run loses at most its last line) and the same scalars as
// TensorBoard event files under `tensorboard/<arm>/`. docs/run_directory.md lists every event and
// field.
//
// All members may be called from several threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "distill/run/tensorboard_writer.h"

namespace athanor::distill {

// A value that was not measured: written as null and left out of TensorBoard, as is Inf (JSON has
// neither).
inline constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

struct StartEvent {
  std::string version;
  std::string device;
  int threads = 0;
  std::uint64_t seed = 0;
};

// Shares of a batch drawn from each pool; they add up to 1.
struct SamplingMix {
  double high_diversity = kMissing;
  double high_quality = kMissing;
  double hard = kMissing;
};

// One optimiser step of one arm ("teacher", "student", "baseline:vanilla_kd", ...).
struct StepEvent {
  std::string run;
  std::int64_t step = 0;
  double epoch = kMissing;
  double loss = kMissing;
  std::vector<std::pair<std::string, double>> loss_terms;  // weighted, so that they add up to loss
  double lr = kMissing;
  double grad_norm = kMissing;    // before clipping
  double clip_rate = kMissing;    // share of recent steps that were clipped
  double temperature = kMissing;  // T of the distillation loss
  double epsilon = kMissing;      // the bound eps_t
  double d = kMissing;            // D_t, the divergence that eps_t bounds
  double lambda = kMissing;       // multiplier of the bound
  SamplingMix mix;
  double delta_l = kMissing;  // the compensation signal
};

struct EpochEvent {
  std::string run;
  std::int64_t epoch = 0;  // epochs completed
  std::int64_t step = 0;   // steps completed
  double train_loss = kMissing;
  double val_accuracy = kMissing;
  double val_f1 = kMissing;
  double val_loss = kMissing;
};

// The compensation signal crossed its threshold.
struct AlarmEvent {
  std::string run;
  std::int64_t step = 0;
  bool raised = true;    // false: cleared
  std::string dominant;  // "gradient_norm", "loss_variance" or "activation_sparsity"
  double delta_l = kMissing;
  double threshold = kMissing;
};

// What a controller did in response.
struct ActionEvent {
  std::string run;
  std::int64_t step = 0;
  std::string kind;  // "lr_decay", "teacher_every_step", "adversarial", "lr_down", "lr_up", ...
  double value = kMissing;  // what the action set, e.g. the new learning-rate factor
};

class RunLog {
 public:
  enum class Mode {
    fresh,   // an earlier log in the directory is replaced
    resume,  // go on at its end; a torn last line is cut off
  };

  // Creates `run_dir` when it does not exist. Throws out_of_resources when the disk is full and
  // runtime when the log cannot be opened or written, naming the path; so do the members below.
  explicit RunLog(const std::filesystem::path& run_dir, Mode mode = Mode::fresh);
  ~RunLog();
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;

  void start(const StartEvent& event);
  // `name`: "refine", "teacher", "restructure", "student", "baseline:<arm>", ...
  void stage_begin(const std::string& name);
  // Seconds since the matching stage_begin are logged and returned.
  double stage_end(const std::string& name);
  void step(const StepEvent& event);
  void epoch(const EpochEvent& event);
  void alarm(const AlarmEvent& event);
  void action(const ActionEvent& event);
  // `code` is a stable identifier ("isa_fallback"), `message` a sentence for people.
  void note(const std::string& code, const std::string& message);

  // Seconds since the log was opened: the "t" of each line.
  double elapsed() const;

 private:
  using Scalars = std::vector<std::pair<std::string, double>>;
  void write_line(std::string line);
  void write_scalars(const std::string& run, std::int64_t step, const Scalars& scalars);

  std::filesystem::path run_dir_;
  std::filesystem::path path_;
  int fd_ = -1;
  std::chrono::steady_clock::time_point opened_;
  mutable std::mutex mutex_;
  std::map<std::string, double> stage_begun_;
  std::map<std::string, std::unique_ptr<TensorBoardWriter>> writers_;
};

}  // namespace athanor::distill
