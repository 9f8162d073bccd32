#include "cli/run.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "cli/commands.h"
#include "tensor/base/error.h"
#include "tensor/base/version.h"

namespace athanor::cli {
namespace {

constexpr int kUsageError = 2;
constexpr int kOutOfResources = 5;

int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::runtime:
      return 1;
    case ErrorKind::usage:
      return kUsageError;
    case ErrorKind::bad_input:
      return 3;
    case ErrorKind::diverged:
      return 4;
    case ErrorKind::out_of_resources:
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

void install(const Registry& registry) {
  for (const auto& [name, maker] : registry.models) nn::register_model(name, maker);
  for (const auto& [name, reader] : registry.data) data::register_image_data(name, reader);
  for (const auto& [name, loss] : registry.losses) distill::register_loss(name, loss);
}

void add_commands(CLI::App& app) {
  add_distill(app);
  add_refine(app);
  add_plant(app);
  add_audit(app);
  add_train(app);
  add_eval(app);
  add_predict(app);
  add_embed(app);
  add_export(app);
  add_inspect(app);
  add_report(app);
  add_doctor(app);
}

}  // namespace

int run(int argc, char** argv, const Registry& registry) {
  limit_spinning(argv);
  CLI::App app{
      "Example: athanor distill\n\n"
      "Tensors, automatic differentiation and three-stage data distillation.",
      "athanor"};
  app.set_version_flag("--version", std::string("athanor ") + kVersion);
  app.require_subcommand(0, 1);
  try {
    install(registry);
    add_commands(app);
    app.parse(argc, argv);
    if (app.get_subcommands().empty()) std::fputs(app.help().c_str(), stdout);
    return 0;
  } catch (const CLI::RuntimeError& error) {
    return error.get_exit_code();
  } catch (const CLI::ParseError& error) {
    // CLI11's own exit codes start at 100; the contract here is 0 for help and version, 2
    // otherwise.
    return app.exit(error) == 0 ? 0 : kUsageError;
  } catch (const Error& error) {
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

}  // namespace athanor::cli
