// --profile FILE, which every command takes.
#pragma once

namespace CLI {
class App;
}

namespace athanor::cli {

// Adds the option to all subcommands. Recording starts when the command line is parsed.
void add_profile_option(CLI::App& app);
// Writes the trace, and the table of operations to standard error, if recording was asked for. To
// be called when the command ended, well or not. Throws Error(runtime) when the file cannot be
// written.
void finish_profile();

}  // namespace athanor::cli
