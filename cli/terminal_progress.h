// Progress for people: a bar with rate and time left on a terminal, plain lines in a log file or
// pipe.
#pragma once

#include <functional>
#include <ostream>
#include <string>

#include "distill/run/progress.h"

namespace athanor::cli {

struct TerminalStyle {
  bool interactive = false;  // redraw one line; else print lines
  bool color = false;
  bool unicode = false;  // line-drawing characters; else ASCII
  int columns = 80;

  // What standard error is attached to. The variables NO_COLOR, TERM=dumb, COLUMNS and the locale's
  // (LC_ALL, LC_CTYPE, LANG) are honoured.
  static TerminalStyle of_stderr();
};

class TerminalProgress final : public distill::ProgressSink {
 public:
  using Clock = std::function<double()>;  // seconds, never going back

  TerminalProgress(std::ostream& out, TerminalStyle style);
  TerminalProgress(std::ostream& out, TerminalStyle style, Clock clock);
  ~TerminalProgress() override;

  void begin(std::string_view task, std::int64_t total, std::string_view unit) override;
  void update(std::int64_t done, std::string_view detail) override;
  void end(std::string_view result) override;
  void message(std::string_view text) override;

 private:
  void draw();
  void erase();
  void write_line(const std::string& state);
  std::string counts() const;
  std::string bar(int width) const;
  double rate() const;

  std::ostream& out_;
  TerminalStyle style_;
  Clock clock_;
  bool active_ = false;
  bool drawn_ = false;
  std::string task_;
  std::string unit_;
  std::string detail_;
  std::int64_t total_ = 0;
  std::int64_t done_ = 0;
  double begun_ = 0;
  double last_output_ = 0;
};

// 75 -> "1:15", 4000 -> "1:06:40".
std::string format_duration(double seconds);

// 1234567 -> "1,234,567".
std::string format_count(std::int64_t count);

}  // namespace athanor::cli
