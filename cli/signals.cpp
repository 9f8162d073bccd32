#include <csignal>

#include "cli/commands.h"

namespace athanor::cli {
namespace {

volatile std::sig_atomic_t signal_number = 0;

void note_signal(int number) {
  signal_number = number;
  std::signal(number, SIG_DFL);  // a second one ends the process at once
}

}  // namespace

void catch_signals() {
  std::signal(SIGINT, note_signal);
  std::signal(SIGTERM, note_signal);
}

int received_signal() { return signal_number; }

}  // namespace athanor::cli
