#include "cli/run.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <new>

#include "cli/bench_command.h"
#include "cli/commands.h"
#include "cli/profile_option.h"
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

// Calls `body`; an error is printed to standard error. Returns the exit code.
template <class F>
int guarded(F&& body) {
  try {
    body();
    return 0;
  } catch (const CLI::RuntimeError& error) {
    return error.get_exit_code();
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

int run_command(CLI::App& app, int argc, char** argv) {
  return guarded([&] {
    try {
      app.parse(argc, argv);
      if (app.get_subcommands().empty()) std::fputs(app.help().c_str(), stdout);
    } catch (const CLI::RuntimeError&) {
      throw;
    } catch (const CLI::ParseError& error) {
      // CLI11's own exit codes start at 100; the contract here is 0 for help and version, 2
      // otherwise.
      if (app.exit(error) != 0) throw CLI::RuntimeError(kUsageError);
    }
  });
}

}  // namespace

int run(int argc, char** argv, const Registry& registry) {
  const int refused = guarded([&] {
    for (const auto& [name, make] : registry.models) nn::register_model(name, make);
    for (const auto& [name, load] : registry.images) data::register_image_format(name, load);
    for (const auto& [name, loss] : registry.losses) distill::register_guidance_loss(name, loss);
  });
  if (refused != 0) return refused;
  CLI::App app{
      "Example: athanor distill\n\n"
      "Tensors, automatic differentiation and three-stage data distillation.",
      "athanor"};
  app.set_version_flag("--version", std::string("athanor ") + kVersion);
  app.require_subcommand(0, 1);
  add_distill(app);
  add_refine(app);
  add_plant(app);
  add_audit(app);
  add_train(app);
  add_eval(app);
  add_predict(app);
  add_embed(app);
  add_quantize(app);
  add_export(app);
  add_inspect(app);
  add_report(app);
  add_doctor(app);
  add_bench(app);
  add_profile_option(app);
  const int code = run_command(app, argc, argv);
  if (code == kUsageError) return code;  // nothing ran
  const int code_of_profile = guarded([] { finish_profile(); });
  return code == 0 ? code_of_profile : code;
}

}  // namespace athanor::cli
