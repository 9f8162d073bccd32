#pragma once

#include "cli/registry.h"

namespace athanor::cli {

// Parses the command line of `athanor`, runs the command that it names and returns the exit code
// (docs/cli.md); errors are printed to standard error. `registry`: what the program adds; to be
// called once with the same names, a name that is taken is a usage error.
int run(int argc, char** argv, const Registry& registry = {});

}  // namespace athanor::cli
