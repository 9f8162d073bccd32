// How library code reports progress: it calls a ProgressSink and never prints. The command passes a
// terminal implementation (cli/terminal_progress.h); everybody else gets the silent default.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace athanor::distill {

// Receives progress of one task at a time. Called from one thread; no member may throw.
class ProgressSink {
 public:
  virtual ~ProgressSink() = default;
  // A task of `total` units ("steps", "records") begins; total 0 = not known beforehand.
  virtual void begin(std::string_view task, std::int64_t total, std::string_view unit) = 0;
  // `done` units in all are finished; `detail` is a short state such as "loss 0.412".
  virtual void update(std::int64_t done, std::string_view detail) = 0;
  // The task is over; `result` is a short outcome such as "val F1 0.871", or empty.
  virtual void end(std::string_view result) = 0;
  // A message beside the tasks (a fallback, an alarm, a file written).
  virtual void message(std::string_view text) = 0;
};

// Ignores everything.
class NoProgress final : public ProgressSink {
 public:
  void begin(std::string_view, std::int64_t, std::string_view) override {}
  void update(std::int64_t, std::string_view) override {}
  void end(std::string_view) override {}
  void message(std::string_view) override {}
};

// Ends its task when the scope is left, also by an exception.
class ProgressTask {
 public:
  ProgressTask(ProgressSink& sink, std::string_view task, std::int64_t total, std::string_view unit)
      : sink_(sink) {
    sink_.begin(task, total, unit);
  }
  ~ProgressTask() { sink_.end(result_); }
  ProgressTask(const ProgressTask&) = delete;
  ProgressTask& operator=(const ProgressTask&) = delete;

  void update(std::int64_t done, std::string_view detail = {}) { sink_.update(done, detail); }
  void set_result(std::string_view result) { result_ = result; }

 private:
  ProgressSink& sink_;
  std::string result_;
};

}  // namespace athanor::distill
