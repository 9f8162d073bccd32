// The command `athanor`: parses the command line and maps errors to exit codes (docs/cli.md).
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <new>

#include "cli/commands.h"
#include "cli/profile_option.h"
#include "tensor/base/error.h"
#include "tensor/base/version.h"

namespace {

constexpr int kUsageError = 2;
constexpr int kOutOfResources = 5;

int exit_code(athanor::ErrorKind kind) {
  switch (kind) {
    case athanor::ErrorKind::runtime:
      return 1;
    case athanor::ErrorKind::usage:
      return kUsageError;
    case athanor::ErrorKind::bad_input:
      return 3;
    case athanor::ErrorKind::diverged:
      return 4;
    case athanor::ErrorKind::out_of_resources:
      return kOutOfResources;
  }
  return 1;
}

// OpenMP's threads wait for the next loop by spinning for milliseconds. When another process wants
// the cores, that makes training several times slower, so the command limits it, unless the
// environment says otherwise. libgomp reads its settings when it is loaded, before main: hence the
// second start of the same process.
void limit_spinning(char** argv) {
  for (const char* name : {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}) {
    if (std::getenv(name)) return;
  }
  setenv("GOMP_SPINCOUNT", "3000", 0);  // iterations: a few microseconds
  execv("/proc/self/exe", argv);        // returns only when it fails: then spinning stays
}

// Parses the command line, runs the command, and says what went wrong; returns the exit code.
int run(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
    if (app.get_subcommands().empty()) std::fputs(app.help().c_str(), stdout);
    return 0;
  } catch (const CLI::RuntimeError& error) {
    return error.get_exit_code();
  } catch (const CLI::ParseError& error) {
    // CLI11's own exit codes start at 100; the contract here is 0 for help and version, 2
    // otherwise.
    return app.exit(error) == 0 ? 0 : kUsageError;
  } catch (const athanor::Error& error) {
    std::fprintf(stderr, "athanor: %s\n", error.what());
    return exit_code(error.kind());
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "athanor: out of memory\n");
    return kOutOfResources;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "athanor: %s\n", error.what());
    return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  limit_spinning(argv);
  CLI::App app{
      "Example: athanor distill\n\n"
      "Tensors, automatic differentiation and three-stage data distillation.",
      "athanor"};
  app.set_version_flag("--version", std::string("athanor ") + athanor::kVersion);
  app.require_subcommand(0, 1);
  athanor::cli::add_distill(app);
  athanor::cli::add_refine(app);
  athanor::cli::add_plant(app);
  athanor::cli::add_audit(app);
  athanor::cli::add_train(app);
  athanor::cli::add_eval(app);
  athanor::cli::add_inspect(app);
  athanor::cli::add_report(app);
  athanor::cli::add_doctor(app);
  athanor::cli::add_bench(app);
  athanor::cli::add_profile_option(app);
  const int code = run(app, argc, argv);
  try {
    athanor::cli::finish_profile();
  } catch (const athanor::Error& error) {
    std::fprintf(stderr, "athanor: %s\n", error.what());
    return code == 0 ? exit_code(error.kind()) : code;
  }
  return code;
}
