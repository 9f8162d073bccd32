#include "cli/bench/bench.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <numeric>

#include "tensor/devices.h"

namespace athanor::cli::bench {

void Bench::time(const std::string& workload, const std::string& variant, Work work,
                 const std::function<void()>& run, std::int64_t repeats) const {
  using Clock = std::chrono::steady_clock;
  constexpr int kWarmUps = 3;
  for (int i = 0; i < kWarmUps; ++i) run();
  synchronize(device());
  std::vector<double> ms, cpu_ms;
  const std::int64_t n = std::max(repeats, settings_.repeats);
  for (std::int64_t i = 0; i < n; ++i) {
    const std::clock_t cpu_start = std::clock();
    const auto start = Clock::now();
    run();
    synchronize(device());
    ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
    cpu_ms.push_back(1e3 * static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC);
  }
  const double all = std::accumulate(ms.begin(), ms.end(), 0.0);
  std::sort(ms.begin(), ms.end());
  std::sort(cpu_ms.begin(), cpu_ms.end());
  Row row;
  row.workload = workload;
  row.variant = variant;
  row.threads = settings_.threads;
  row.median_ms = ms[ms.size() / 2];
  row.min_ms = ms.front();
  row.mean_ms = all / static_cast<double>(n);
  row.cpu_ms = cpu_ms[cpu_ms.size() / 2];
  row.repeats = n;
  row.work = work;
  sink_(row);
}

const std::vector<Workload>& workloads() {
  static const std::vector<Workload> all = [] {
    std::vector<Workload> list;
    for (auto part : {
           limit_workloads, train_workloads, op_workloads, infer_workloads, quantized_workloads,
#if !defined(ATHANOR_STATIC)
               cluster_workloads,
#endif
               system_workloads
         }) {
      for (Workload& workload : part()) list.push_back(std::move(workload));
    }
    return list;
  }();
  return all;
}

}  // namespace athanor::cli::bench
