// The start of a process.
#include <spawn.h>
#include <sys/wait.h>

#include "cli/bench/bench.h"
#include "tensor/base/error.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/matmul.h"

extern char** environ;

namespace athanor::cli::bench {
namespace {

// From the start of a process to its end after `what`, which is `athanor bench what`.
void time_process(const Bench& bench, const char* row, const char* variant, const char* what) {
  const std::string& program = bench.settings().executable;
  bench.time(row, variant, {}, [&] {
    std::string arguments[] = {program, "bench", what, "--threads", str(bench.settings().threads)};
    char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(),
                    arguments[3].data(), arguments[4].data(), nullptr};
    pid_t child = 0;
    int status = 0;
    if (posix_spawn(&child, program.c_str(), nullptr, nullptr, argv, environ) != 0 ||
        waitpid(child, &status, 0) != child || status != 0) {
      fail("bench", row, ": expected ", program, " to run, and it did not");
    }
  });
}

void startup(const Bench& bench) {
  time_process(bench, "startup", "first 2 x 2 product", "first_result");
}
void cold_step(const Bench& bench) {
  time_process(bench, "cold_step", "first step of cnn_train", "first_step");
}

}  // namespace

void first_result() {
  if (matmul(ones({2, 2}), ones({2, 2})).to_vector<float>()[3] != 2) {
    fail("bench", "expected a product of 2");
  }
}

std::vector<Workload> system_workloads() {
  return {
      {"startup", "a process from its start to its first 2 x 2 product", startup, true},
      {"cold_step", "a process from its start to its first step of cnn_train", cold_step, true},
  };
}

}  // namespace athanor::cli::bench
