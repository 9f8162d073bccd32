// The commands of `athanor`: each adds itself to the command line and runs when it was chosen.
#pragma once

namespace CLI {
class App;
}

namespace athanor::cli {

void add_distill(CLI::App& app);
void add_train(CLI::App& app);
void add_eval(CLI::App& app);
void add_embed(CLI::App& app);
void add_export(CLI::App& app);
void add_predict(CLI::App& app);
void add_quantize(CLI::App& app);
void add_inspect(CLI::App& app);
void add_refine(CLI::App& app);
void add_plant(CLI::App& app);
void add_audit(CLI::App& app);
void add_report(CLI::App& app);
void add_doctor(CLI::App& app);

// Installs handlers for SIGINT and SIGTERM that only note the signal; 0 as long as none came.
void catch_signals();
int received_signal();

}  // namespace athanor::cli
