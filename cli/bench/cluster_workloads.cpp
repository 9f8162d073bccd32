// Clustering; not in the static build, which has no distillation.
#include "cli/bench/bench.h"
#include "distill/restructure/dbscan.h"
#include "tensor/ops.h"
#include "tensor/random.h"

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

}  // namespace

std::vector<Workload> cluster_workloads() {
  return {
      {"dbscan", "DBSCAN of 20,000 points in 16 dimensions", dbscan, true},
  };
}

}  // namespace athanor::cli::bench
