// `athanor-static bench`: the workloads of `athanor bench` in the static build.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "cli/bench_command.h"
#include "tensor/base/error.h"

int main(int argc, char** argv) {
  CLI::App app{"Example: athanor-static bench cnn_train\n\nAthanor's benchmark, statically linked.",
               "athanor-static"};
  app.require_subcommand(1);
  athanor::cli::add_bench(app);
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const athanor::Error& error) {
    std::fprintf(stderr, "athanor-static: %s\n", error.what());
    return error.kind() == athanor::ErrorKind::usage ? 2 : 1;
  }
}
