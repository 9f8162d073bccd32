#include "cli/terminal_progress.h"

#include <stdlib.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <sstream>
#include <stdexcept>
#include <string>

using namespace athanor;
using athanor::cli::TerminalProgress;
using athanor::cli::TerminalStyle;

namespace {

struct Screen {
  double now = 100;
  std::ostringstream out;
  TerminalProgress progress;
  explicit Screen(TerminalStyle style) : progress(out, style, [this] { return now; }) {}
  long lines() const {
    const std::string text = out.str();
    return std::count(text.begin(), text.end(), '\n');
  }
};

}  // namespace

TEST_CASE("durations and counts are written for people", "[progress]") {
  CHECK(cli::format_duration(0) == "0:00");
  CHECK(cli::format_duration(75.4) == "1:15");
  CHECK(cli::format_duration(4000) == "1:06:40");
  CHECK(cli::format_count(0) == "0");
  CHECK(cli::format_count(999) == "999");
  CHECK(cli::format_count(1234567) == "1,234,567");
  CHECK(cli::format_count(-1234) == "-1,234");
  CHECK(cli::format_count(-123) == "-123");
}

TEST_CASE("off a terminal there is a plain line every two seconds and one at the end",
          "[progress]") {
  Screen screen({});
  screen.progress.begin("student", 1000, "steps");
  for (int i = 1; i <= 50; ++i) {  // 5 seconds
    screen.now += 0.1;
    screen.progress.update(i * 20, "loss 0.5");
  }
  CHECK(screen.lines() == 2);
  screen.progress.end("val F1 0.871");
  CHECK(screen.lines() == 3);
  const std::string text = screen.out.str();
  CHECK(text.find('\r') == std::string::npos);
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(text.find("200/s") != std::string::npos);
  CHECK(text.find("ETA 0:03") != std::string::npos);
  CHECK(text.find("val F1 0.871") != std::string::npos);
  CHECK(text.find("1,000 steps, 0:05") != std::string::npos);
}

TEST_CASE("on a terminal one line is redrawn and fits", "[progress]") {
  TerminalStyle style;
  style.interactive = true;
  style.columns = 60;
  Screen screen(style);
  screen.progress.begin("student", 1000, "steps");
  screen.now += 1;
  screen.progress.update(500, "a detail that is much too long for a window of sixty columns");
  std::string text = screen.out.str();
  CHECK(screen.lines() == 0);
  CHECK(text.find("500/1,000 steps") != std::string::npos);
  const std::string last = text.substr(text.rfind("\x1b[K") + 3);
  CHECK(last.size() < 60);
  screen.now += 0.01;  // too soon for another
  screen.progress.update(501, "");
  CHECK(screen.out.str() == text);
  screen.progress.end("");
  CHECK(screen.lines() == 1);
}

TEST_CASE("the bar grows with the work done", "[progress]") {
  TerminalStyle style;
  style.interactive = true;
  style.columns = 100;
  Screen screen(style);
  screen.progress.begin("x", 4, "files");
  const auto filled = [&](int done) {
    screen.now += 1;
    screen.progress.update(done, "");
    const std::string text = screen.out.str();
    const std::string last = text.substr(text.rfind("\x1b[K") + 3);
    return std::count(last.begin(), last.end(), '#');
  };
  CHECK(filled(1) == 7);
  CHECK(filled(2) == 14);
  CHECK(filled(4) == 28);
}

TEST_CASE("colour escapes appear only where colour is allowed", "[progress]") {
  for (const bool color : {false, true}) {
    TerminalStyle style;
    style.interactive = true;
    style.color = color;
    Screen screen(style);
    screen.progress.begin("x", 10, "steps");
    screen.now += 1;
    screen.progress.update(5, "");
    CHECK((screen.out.str().find("\x1b[38") != std::string::npos) == color);
  }
}

TEST_CASE("NO_COLOR and COLUMNS are honoured", "[progress]") {
  ::setenv("NO_COLOR", "1", 1);
  ::setenv("COLUMNS", "51", 1);
  const TerminalStyle style = TerminalStyle::of_stderr();
  ::unsetenv("NO_COLOR");
  ::unsetenv("COLUMNS");
  CHECK_FALSE(style.color);
  CHECK(style.columns == 51);
}

TEST_CASE("messages stand on lines of their own", "[progress]") {
  Screen screen({});
  screen.progress.begin("x", 0, "records");
  screen.progress.message("alarm raised");
  CHECK(screen.out.str() == "alarm raised\n");
}

TEST_CASE("a task ends when an exception passes", "[progress]") {
  Screen screen({});
  try {
    distill::ProgressTask task(screen.progress, "x", 10, "steps");
    task.update(4);
    throw std::runtime_error("stop");
  } catch (const std::runtime_error&) {
  }
  CHECK(screen.out.str().find("4 steps") != std::string::npos);
}
