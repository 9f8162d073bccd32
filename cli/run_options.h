// What the commands that make a run directory share: options, recipe, interruption.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "distill/pipeline/distill.h"
#include "distill/recipe/recipe.h"

namespace CLI {
class App;
}

namespace athanor::cli {

struct RunOptions {
  std::string recipe;
  std::string out;
  std::vector<std::string> set;
  std::string device = "cpu", precision = "f32";
  int threads = 0;
  std::int64_t seed = -1;  // -1: the recipe's
  bool deterministic = false;
  bool json = false;
};

// Adds the options to a command; `out` is the default run directory.
void add_run_options(CLI::App& command, RunOptions& options, const std::string& out);

// The recipe file, with `adjust` applied to it, then --seed and --set; checked. Sets the number of
// threads and deterministic mode.
distill::Recipe resolve_recipe(const RunOptions& options,
                               const std::function<void(distill::Recipe&)>& adjust = {});

// Calls `job` with progress on standard error; Ctrl-C and SIGTERM end it with exit code 130 or 143.
// Returns what it returns.
std::string run_job(const RunOptions& options,
                    const std::function<std::string(const distill::DistillOptions&)>& job);

}  // namespace athanor::cli
