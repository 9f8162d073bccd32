// --profile FILE, which every command takes.
#pragma once

#include "tensor/base/device.h"

namespace CLI {
class App;
}

namespace athanor::cli {

// Adds the option to all subcommands. Recording starts when the command line is parsed.
void add_profile_option(CLI::App& app);
// Measures the operations on a GPU too, if recording was asked for.
void profile_device(Device device);
// Writes the trace, and the table of operations to standard error, if recording was asked for. To
// be called when the command ended, well or not. Throws Error(runtime) when the file cannot be
// written.
void finish_profile();

}  // namespace athanor::cli
