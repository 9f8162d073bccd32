// Rows that are more than tensors: clustering, and the start of a process.
#include <spawn.h>
#include <sys/wait.h>

#include "cli/bench/bench.h"
#include "distill/restructure/dbscan.h"
#include "tensor/base/error.h"
#include "tensor/ops.h"
#include "tensor/random.h"

extern char** environ;

namespace athanor::cli::bench {
namespace {

void dbscan(const Bench& bench) {
  constexpr std::int64_t kPoints = 20000, kWidth = 16, kBlobs = 50;
  Generator g(0);
  const Tensor centres = random_normal({kBlobs, kWidth}, g, 0, 10);
  Tensor blob = empty({kPoints}, DType::i64);
  for (std::int64_t i = 0; i < kPoints; ++i) {
    blob.data<std::int64_t>()[i] = g.next_below(kBlobs);
  }
  const Tensor points = add(index_select(centres, 0, blob), random_normal({kPoints, kWidth}, g));
  distill::DbscanOptions options;
  options.eps = 2.8284271f;  // 0.5 sigma sqrt(2 d)
  options.min_points = 8;
  bench.time(
      "dbscan", "kd_tree", {}, [&] { distill::dbscan(points, options); }, 3);
}

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
      {"dbscan", "DBSCAN of 20,000 points in 16 dimensions", dbscan, true},
      {"startup", "a process from its start to its first 2 x 2 product", startup, true},
  };
}

}  // namespace athanor::cli::bench
