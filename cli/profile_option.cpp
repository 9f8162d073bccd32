#include "cli/profile_option.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <sstream>

#include "tensor/base/error.h"
#include "tensor/base/profile.h"
#include "tensor/io/atomic_file.h"

namespace athanor::cli {
namespace {

std::string& profile_file() {
  static std::string file;
  return file;
}

}  // namespace

void add_profile_option(CLI::App& app) {
  for (CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    command
        ->add_option_function<std::string>(
            "--profile",
            [](const std::string& file) {
              profile_file() = file;
              start_profile();
            },
            "Write a trace of all operations (chrome://tracing, ui.perfetto.dev)")
        ->option_text("FILE");
  }
}

void finish_profile() {
  if (profile_file().empty()) return;
  stop_profile();
  std::ostringstream trace;
  write_profile(trace);
  write_file_atomically(profile_file(), trace.str());
  std::fprintf(stderr, "%sprofile: %s\n", profile_table().c_str(), profile_file().c_str());
  profile_file().clear();
}

}  // namespace athanor::cli
