#include "cli/run_options.h"

#include <CLI/CLI.hpp>
#include <iostream>

#include "cli/commands.h"
#include "cli/device_option.h"
#include "cli/terminal_progress.h"
#include "tensor/base/deterministic.h"
#include "tensor/base/error.h"
#include "tensor/base/parallel.h"
#include "tensor/devices.h"

namespace athanor::cli {

void add_run_options(CLI::App& c, RunOptions& o, const std::string& out) {
  o.out = out;
  c.add_option("--out", o.out, "Run directory")->capture_default_str();
  c.add_option("--set", o.set, "Set a recipe key: a.b=value (repeatable)")->take_all();
  c.add_option("--seed", o.seed, "Seed; overrides the recipe")->check(CLI::NonNegativeNumber);
  add_precision_option(c, o.precision, " while models train");
  c.add_option("--threads", o.threads, "Threads, 0 = all cores")->check(CLI::NonNegativeNumber);
  c.add_flag("--deterministic", o.deterministic,
             "The same bits at every number of threads; convolutions are somewhat slower");
  add_device_option(c, o.device, ": where models train");
  c.add_flag("--json", o.json, "Print summary.json instead of the table");
}

distill::Recipe resolve_recipe(const RunOptions& o,
                               const std::function<void(distill::Recipe&)>& adjust) {
  parse_device(o.device);  // before anything is read
  distill::Recipe recipe;
  if (!o.recipe.empty()) recipe = distill::load_recipe(o.recipe);
  if (adjust) adjust(recipe);
  if (o.seed >= 0) recipe.seed = static_cast<std::uint64_t>(o.seed);
  for (const std::string& assignment : o.set) distill::set_key(recipe, assignment);
  if (o.threads > 0) set_num_threads(o.threads);
  set_deterministic(o.deterministic);
  distill::check_recipe(recipe);
  return recipe;
}

std::string run_job(const RunOptions& o,
                    const std::function<std::string(const distill::DistillOptions&)>& job) {
  catch_signals();
  TerminalProgress progress(std::cerr, TerminalStyle::of_stderr());
  distill::DistillOptions options;
  options.out = o.out;
  options.progress = &progress;
  options.device = device_of(o.device);
  options.precision = precision_of(o.precision);
  options.stop = [] { return received_signal() != 0; };
  try {
    return job(options);
  } catch (const distill::Interrupted&) {
    std::cerr << "athanor: stopped; what was finished is kept in " << o.out << '\n';
    throw CLI::RuntimeError(128 + received_signal());
  }
}

}  // namespace athanor::cli
