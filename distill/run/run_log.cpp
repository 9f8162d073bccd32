#include "distill/run/run_log.h"

#include <unistd.h>

#include <cctype>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "distill/run/append_file.h"
#include "tensor/base/error.h"

namespace athanor::distill {
namespace {

using OrderedJson = nlohmann::ordered_json;

OrderedJson number(double value) {
  return std::isfinite(value) ? OrderedJson(value) : OrderedJson(nullptr);
}

std::string to_line(const OrderedJson& object) {
  // Text from file names or data may be no valid UTF-8; a replacement character keeps the line
  // whole.
  return object.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + '\n';
}

// Arm names hold ':' and, from recipes, anything; a folder name holds letters, digits, '_', '-',
// '.'.
std::string folder_of(const std::string& run) {
  std::string name = run.empty() ? "run" : run;
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '-' && c != '.') c = '_';
  }
  if (name.front() == '.') name.front() = '_';
  return name;
}

// Length of `path` up to and including its last newline, or 0.
std::uintmax_t length_of_whole_lines(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::uintmax_t whole = 0;
  std::uintmax_t read = 0;
  for (char c; in.get(c);) {
    ++read;
    if (c == '\n') whole = read;
  }
  return whole;
}

}  // namespace

RunLog::RunLog(const std::filesystem::path& run_dir, Mode mode)
    : run_dir_(run_dir), path_(run_dir / "log.jsonl"), opened_(std::chrono::steady_clock::now()) {
  make_directories(run_dir_);
  if (mode == Mode::fresh) {
    std::error_code ignored;  // what cannot be removed is at worst an extra curve in TensorBoard
    std::filesystem::remove_all(run_dir_ / "tensorboard", ignored);
  } else if (std::filesystem::exists(path_)) {
    std::error_code error;
    std::filesystem::resize_file(path_, length_of_whole_lines(path_), error);
    if (error) raise(ErrorKind::runtime, "cannot resume ", path_.string(), ": ", error.message());
  }
  fd_ = open_append(path_, mode == Mode::fresh);
}

RunLog::~RunLog() {
  if (fd_ >= 0) ::close(fd_);
}

double RunLog::elapsed() const {
  const std::chrono::duration<double> t = std::chrono::steady_clock::now() - opened_;
  return std::round(t.count() * 1e3) / 1e3;
}

void RunLog::start(const StartEvent& e) {
  write_line(to_line({{"event", "start"},
                      {"t", elapsed()},
                      {"version", e.version},
                      {"device", e.device},
                      {"threads", e.threads},
                      {"seed", e.seed}}));
}

void RunLog::stage_begin(const std::string& name) {
  const double now = elapsed();
  {
    const std::lock_guard lock(mutex_);
    stage_begun_[name] = now;
  }
  write_line(to_line({{"event", "stage"}, {"t", now}, {"name", name}, {"state", "begin"}}));
}

double RunLog::stage_end(const std::string& name) {
  const double now = elapsed();
  double seconds = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto begun = stage_begun_.find(name);
    if (begun == stage_begun_.end()) {
      raise(ErrorKind::runtime, "[run_log] expected a stage that began, got \"", name, "\"");
    }
    seconds = now - begun->second;
    stage_begun_.erase(begun);
  }
  write_line(to_line(
      {{"event", "stage"}, {"t", now}, {"name", name}, {"state", "end"}, {"seconds", seconds}}));
  return seconds;
}

void RunLog::step(const StepEvent& e) {
  OrderedJson terms = OrderedJson::object();
  Scalars scalars = {{"loss/total", e.loss},
                     {"train/lr", e.lr},
                     {"train/grad_norm", e.grad_norm},
                     {"train/clip_rate", e.clip_rate},
                     {"train/temperature", e.temperature},
                     {"control/epsilon", e.epsilon},
                     {"control/d", e.d},
                     {"control/lambda", e.lambda},
                     {"control/delta_l", e.delta_l},
                     {"mix/high_diversity", e.mix.high_diversity},
                     {"mix/high_quality", e.mix.high_quality},
                     {"mix/hard", e.mix.hard}};
  for (const auto& [name, value] : e.loss_terms) {
    terms[name] = number(value);
    scalars.emplace_back("loss/" + name, value);
  }
  write_line(to_line({{"event", "step"},
                      {"t", elapsed()},
                      {"run", e.run},
                      {"step", e.step},
                      {"epoch", number(e.epoch)},
                      {"loss", number(e.loss)},
                      {"loss_terms", terms},
                      {"lr", number(e.lr)},
                      {"grad_norm", number(e.grad_norm)},
                      {"clip_rate", number(e.clip_rate)},
                      {"temperature", number(e.temperature)},
                      {"epsilon", number(e.epsilon)},
                      {"d", number(e.d)},
                      {"lambda", number(e.lambda)},
                      {"mix",
                       {{"high_diversity", number(e.mix.high_diversity)},
                        {"high_quality", number(e.mix.high_quality)},
                        {"hard", number(e.mix.hard)}}},
                      {"delta_l", number(e.delta_l)}}));
  write_scalars(e.run, e.step, scalars);
}

void RunLog::epoch(const EpochEvent& e) {
  write_line(to_line({{"event", "epoch"},
                      {"t", elapsed()},
                      {"run", e.run},
                      {"epoch", e.epoch},
                      {"step", e.step},
                      {"train_loss", number(e.train_loss)},
                      {"val_accuracy", number(e.val_accuracy)},
                      {"val_f1", number(e.val_f1)},
                      {"val_loss", number(e.val_loss)}}));
  write_scalars(e.run, e.step,
                {{"epoch/train_loss", e.train_loss},
                 {"epoch/val_accuracy", e.val_accuracy},
                 {"epoch/val_f1", e.val_f1},
                 {"epoch/val_loss", e.val_loss}});
}

void RunLog::alarm(const AlarmEvent& e) {
  write_line(to_line({{"event", "alarm"},
                      {"t", elapsed()},
                      {"run", e.run},
                      {"step", e.step},
                      {"state", e.raised ? "raised" : "cleared"},
                      {"dominant", e.dominant},
                      {"delta_l", number(e.delta_l)},
                      {"threshold", number(e.threshold)}}));
}

void RunLog::action(const ActionEvent& e) {
  write_line(to_line({{"event", "action"},
                      {"t", elapsed()},
                      {"run", e.run},
                      {"step", e.step},
                      {"kind", e.kind},
                      {"value", number(e.value)}}));
}

void RunLog::note(const std::string& code, const std::string& message) {
  write_line(to_line({{"event", "note"}, {"t", elapsed()}, {"code", code}, {"message", message}}));
}

void RunLog::write_line(std::string line) {
  const std::lock_guard lock(mutex_);
  write_all(fd_, line, path_);
}

void RunLog::write_scalars(const std::string& run, std::int64_t step, const Scalars& scalars) {
  Scalars finite;
  for (const auto& scalar : scalars) {
    if (std::isfinite(scalar.second)) finite.push_back(scalar);
  }
  if (finite.empty()) return;
  const std::lock_guard lock(mutex_);
  auto& writer = writers_[run];
  if (!writer) {
    writer = std::make_unique<TensorBoardWriter>(run_dir_ / "tensorboard" / folder_of(run));
  }
  writer->add_scalars(step, finite);
}

}  // namespace athanor::distill
