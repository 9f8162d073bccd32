// The command `bench`.
#pragma once

namespace CLI {
class App;
}

namespace athanor::cli {

void add_bench(CLI::App& app);

}  // namespace athanor::cli
