#include "cli/terminal_progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>

namespace athanor::cli {
namespace {

constexpr double kRedrawSeconds = 0.1;  // a terminal is redrawn at most this often
constexpr double kLineSeconds = 2.0;    // a log gets at most one line in this time
constexpr int kTaskWidth = 14;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

bool locale_is_utf8() {
  std::string locale = environment("LC_ALL");
  if (locale.empty()) locale = environment("LC_CTYPE");
  if (locale.empty()) locale = environment("LANG");
  std::transform(locale.begin(), locale.end(), locale.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return locale.find("utf-8") != std::string::npos || locale.find("utf8") != std::string::npos;
}

bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xc0u) != 0x80u; }

// The first `columns` characters of UTF-8 text, counting one column a code point.
std::string cut(const std::string& text, int columns) {
  int used = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (starts_character(text[i]) && used++ == columns) return text.substr(0, i);
  }
  return text;
}

int width_of(const std::string& text) {
  return static_cast<int>(std::count_if(text.begin(), text.end(), starts_character));
}

double steady_seconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

}  // namespace

std::string format_duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(std::max(seconds, 0.0)));
  if (whole >= 3600) {
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  }
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

std::string format_count(std::int64_t count) {
  std::string text = std::to_string(count);
  const int first = count < 0 ? 1 : 0;
  for (int i = static_cast<int>(text.size()) - 3; i > first; i -= 3) text.insert(i, ",");
  return text;
}

TerminalStyle TerminalStyle::of_stderr() {
  TerminalStyle style;
  style.interactive = ::isatty(STDERR_FILENO) != 0 && environment("TERM") != "dumb";
  style.color = style.interactive && environment("NO_COLOR").empty();
  style.unicode = locale_is_utf8();
  winsize size{};
  if (const int columns = std::atoi(environment("COLUMNS").c_str()); columns > 0) {
    style.columns = columns;
  } else if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    style.columns = size.ws_col;
  }
  return style;
}

TerminalProgress::TerminalProgress(std::ostream& out, TerminalStyle style)
    : TerminalProgress(out, style, steady_seconds) {}

TerminalProgress::TerminalProgress(std::ostream& out, TerminalStyle style, Clock clock)
    : out_(out), style_(style), clock_(std::move(clock)) {}

TerminalProgress::~TerminalProgress() { erase(); }

void TerminalProgress::begin(std::string_view task, std::int64_t total, std::string_view unit) {
  active_ = true;
  task_ = task;
  unit_ = unit;
  total_ = total;
  done_ = 0;
  detail_.clear();
  begun_ = last_output_ = clock_();
  if (style_.interactive) draw();
}

void TerminalProgress::update(std::int64_t done, std::string_view detail) {
  if (!active_) return;
  done_ = done;
  detail_ = detail;
  const double now = clock_();
  if (now - last_output_ < (style_.interactive ? kRedrawSeconds : kLineSeconds)) return;
  last_output_ = now;
  if (style_.interactive) {
    draw();
  } else {
    write_line(counts());
  }
}

void TerminalProgress::end(std::string_view result) {
  if (!active_) return;
  erase();
  if (!result.empty()) detail_ = result;
  const std::string count =
      done_ > 0 ? fmt::format("{} {}, ", format_count(done_), unit_) : std::string();
  write_line(count + format_duration(clock_() - begun_));
  active_ = false;
}

void TerminalProgress::message(std::string_view text) {
  erase();
  out_ << text << '\n' << std::flush;
  if (active_ && style_.interactive) draw();
}

double TerminalProgress::rate() const {
  const double seconds = clock_() - begun_;
  return seconds > 0 ? static_cast<double>(done_) / seconds : 0.0;
}

// "1,200/2,820 steps  310/s  ETA 0:05"
std::string TerminalProgress::counts() const {
  std::string text = format_count(done_);
  if (total_ > 0) text += "/" + format_count(total_);
  text += " " + unit_;
  if (const double r = rate(); r > 0) {
    text += r < 10 ? fmt::format("  {:.1f}/s", r)
                   : fmt::format("  {}/s", format_count(std::llround(r)));
    if (total_ > done_) {
      text += "  ETA " + format_duration(static_cast<double>(total_ - done_) / r);
    }
  }
  return text;
}

std::string TerminalProgress::bar(int width) const {
  const double share =
      std::clamp(static_cast<double>(done_) / static_cast<double>(total_), 0.0, 1.0);
  const int full = static_cast<int>(share * width);
  std::string text;
  if (style_.color) text += "\x1b[38;5;208m";
  for (int i = 0; i < width; ++i) {
    if (i == full && style_.color) text += "\x1b[0;2m";
    if (style_.unicode) {
      text += i < full || style_.color ? "━" : "╌";
    } else {
      text += i < full ? '#' : '.';
    }
  }
  if (style_.color) text += "\x1b[0m";
  return text;
}

void TerminalProgress::draw() {
  const std::string head = fmt::format("{:<{}} ", task_, kTaskWidth);
  std::string tail = " " + counts();
  if (!detail_.empty()) tail += "  " + detail_;
  const int room = style_.columns - 1 - width_of(head);  // the last column would wrap the line
  const int bar_width = std::clamp(room - width_of(tail), 0, 28);
  out_ << "\r\x1b[K" << cut(head, style_.columns - 1);
  if (total_ > 0 && bar_width >= 6) out_ << bar(bar_width);
  out_ << cut(tail, std::max(room, 0)) << std::flush;
  drawn_ = true;
}

void TerminalProgress::erase() {
  if (drawn_) out_ << "\r\x1b[K" << std::flush;
  drawn_ = false;
}

void TerminalProgress::write_line(const std::string& state) {
  out_ << fmt::format("{:<{}} ", task_, kTaskWidth) << state;
  if (!detail_.empty()) out_ << "  " << detail_;
  out_ << '\n' << std::flush;
}

}  // namespace athanor::cli
