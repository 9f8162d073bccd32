#pragma once

namespace athanor::cli {

// Parses the command line of `athanor`, runs the command that it names and returns the exit code
// (docs/cli.md); errors are printed to standard error.
int run(int argc, char** argv);

}  // namespace athanor::cli
