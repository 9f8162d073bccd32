// Workloads that `athanor bench` times, on the CPU or a GPU. docs/performance.md defines each;
// bench/peers has the same ones for PyTorch, and bench/compare.py runs both sides in alternation.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "tensor/base/device.h"

namespace athanor::cli::bench {

struct Settings {
  int threads = 1;
  Device device;
  std::int64_t repeats = 20;   // timed runs of each row, after three that are not
  std::filesystem::path data;  // directory with data sets; only gcn_train needs it
  std::string executable;      // for `startup`
};

// What one run does, to compare with the machine's limits; 0: not counted.
struct Work {
  double flops = 0;  // multiplications and additions
  double bytes = 0;  // read and written, each once
};

struct Row {
  std::string workload;
  std::string variant;  // the path taken
  int threads = 1;
  double median_ms = 0, min_ms = 0, mean_ms = 0;
  double cpu_ms = 0;  // the median of the processor time of all threads together
  std::int64_t repeats = 0;
  Work work;
  double gflops() const { return work.flops / median_ms * 1e-6; }
  double gbps() const { return work.bytes / median_ms * 1e-6; }
};

// Receives a row as soon as it is measured.
using Sink = std::function<void(const Row&)>;

class Bench {
 public:
  Bench(const Settings& settings, Sink sink) : settings_(settings), sink_(std::move(sink)) {}
  const Settings& settings() const { return settings_; }
  Device device() const { return settings_.device; }
  // Times `run` until the device has done its work, the settings' number of times or, if more,
  // `repeats`.
  void time(const std::string& workload, const std::string& variant, Work work,
            const std::function<void()>& run, std::int64_t repeats = 0) const;

 private:
  Settings settings_;
  Sink sink_;
};

struct Workload {
  std::string name;
  std::string what;  // one line
  std::function<void(const Bench&)> run;
  bool cpu_only = false;
};

// All workloads, in the order of the documentation. `limits` comes first: what the machine can do.
const std::vector<Workload>& workloads();

// What the processes do that the rows `startup` and `cold_step` start: a product of 2 x 2 matrices;
// one step of cnn_train with its network and batch made for it.
void first_result();
void first_step();

// The parts of that list, by file.
std::vector<Workload> limit_workloads();
std::vector<Workload> train_workloads();
std::vector<Workload> op_workloads();
std::vector<Workload> infer_workloads();
std::vector<Workload> quantized_workloads();
std::vector<Workload> system_workloads();
std::vector<Workload> cluster_workloads();  // not in the static build

}  // namespace athanor::cli::bench
