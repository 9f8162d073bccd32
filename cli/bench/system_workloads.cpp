// The start of a process.
#include <spawn.h>
#include <sys/wait.h>

#include "cli/bench/bench.h"
#include "tensor/base/error.h"

extern char** environ;

namespace athanor::cli::bench {
namespace {

// From the start of a process to its end after one product of 2 x 2 matrices.
void startup(const Bench& bench) {
  const std::string& program = bench.settings().executable;
  bench.time("startup", "first 2 x 2 product", {}, [&] {
    std::string arguments[] = {program, "bench", "first_result"};
    char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(), nullptr};
    pid_t child = 0;
    int status = 0;
    if (posix_spawn(&child, program.c_str(), nullptr, nullptr, argv, environ) != 0 ||
        waitpid(child, &status, 0) != child || status != 0) {
      fail("bench", "startup: expected ", program, " to run, and it did not");
    }
  });
}

}  // namespace

std::vector<Workload> system_workloads() {
  return {
      {"startup", "a process from its start to its first 2 x 2 product", startup, true},
  };
}

}  // namespace athanor::cli::bench
