// The command `athanor`: parses the command line and maps errors to exit codes (docs/cli.md).
#include <CLI/CLI.hpp>
#include <cstdio>

#include "tensor/base/version.h"

namespace {

constexpr int kUsageError = 2;

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Tensors, automatic differentiation and three-stage data distillation.", "athanor"};
  app.set_version_flag("--version", std::string("athanor ") + athanor::kVersion);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // CLI11's own exit codes start at 100; the contract here is 0 for help and version, 2
    // otherwise.
    return app.exit(error) == 0 ? 0 : kUsageError;
  }
  std::fputs(app.help().c_str(), stdout);
  return 0;
}
