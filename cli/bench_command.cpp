// `athanor bench`: times workloads on this machine.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/bench/bench.h"
#include "cli/bench_command.h"
#include "cli/device_option.h"
#include "tensor/base/deterministic.h"
#include "tensor/base/error.h"
#include "tensor/base/parallel.h"
#include "tensor/ops.h"

namespace athanor::cli {
namespace {

struct BenchOptions {
  std::vector<std::string> names;
  int threads = 0;
  std::string device = "cpu";
  std::int64_t repeats = 20;
  std::string data;
  bool deterministic = false;
  bool json = false;
  bool list = false;
};

void print_json(const bench::Row& row) {
  nlohmann::ordered_json line = {{"workload", row.workload}, {"variant", row.variant},
                                 {"threads", row.threads},   {"median_ms", row.median_ms},
                                 {"cpu_ms", row.cpu_ms},     {"min_ms", row.min_ms},
                                 {"mean_ms", row.mean_ms},   {"n", row.repeats}};
  if (row.work.flops > 0) line["gflops"] = row.gflops();
  if (row.work.bytes > 0) line["gbps"] = row.gbps();
  std::printf("%s\n", line.dump().c_str());
}

void print_line(const bench::Row& row) {
  std::printf("%-16s %-22s %10.3f ms  (best %.3f, %lld runs)", row.workload.c_str(),
              row.variant.c_str(), row.median_ms, row.min_ms, static_cast<long long>(row.repeats));
  if (row.work.flops > 0) std::printf("  %.1f GFLOP/s", row.gflops());
  if (row.work.bytes > 0) std::printf("  %.1f GB/s", row.gbps());
  std::printf("\n");
}

std::string known_names() {
  std::string names;
  for (const bench::Workload& workload : bench::workloads()) {
    names += (names.empty() ? "" : ", ") + workload.name;
  }
  return names;
}

const bench::Workload& find(const std::string& name) {
  for (const bench::Workload& workload : bench::workloads()) {
    if (workload.name == name) return workload;
  }
  raise(ErrorKind::usage, "bench: expected one of ", known_names(), ", got ", name);
}

void run_bench(const BenchOptions& o) {
  if (o.list) {
    for (const bench::Workload& workload : bench::workloads()) {
      std::printf("%-16s %s\n", workload.name.c_str(), workload.what.c_str());
    }
    return;
  }
  if (o.threads > 0) set_num_threads(o.threads);
  if (o.names == std::vector<std::string>{"first_result"}) return bench::first_result();
  if (o.names == std::vector<std::string>{"first_step"}) return bench::first_step();
  bench::Settings settings;
  settings.device = device_of(o.device);
  const bool on_cpu = settings.device.type == DeviceType::cpu;
  std::vector<const bench::Workload*> chosen;
  for (const std::string& name : o.names) {
    chosen.push_back(&find(name));
    if (!on_cpu && chosen.back()->cpu_only) {
      raise(ErrorKind::usage, "bench: ", name, " runs on the CPU only, expected --device cpu, got ",
            o.device);
    }
  }
  if (o.names.empty()) {
    for (const bench::Workload& workload : bench::workloads()) {
      if (workload.name == "gcn_train" && o.data.empty()) continue;
      if (on_cpu || !workload.cpu_only) chosen.push_back(&workload);
    }
    if (o.data.empty()) std::fputs("bench: gcn_train is left out without --data\n", stderr);
  }
  set_deterministic(o.deterministic);
  settings.threads = num_threads();
  settings.repeats = o.repeats;
  settings.data = o.data;
  settings.executable = std::filesystem::read_symlink("/proc/self/exe").string();
  const bench::Bench bench(settings, [&](const bench::Row& row) {
    o.json ? print_json(row) : print_line(row);
    std::fflush(stdout);
  });
  for (const bench::Workload* workload : chosen) workload->run(bench);
}

}  // namespace

void add_bench(CLI::App& app) {
  auto o = std::make_shared<BenchOptions>();
  CLI::App* c = app.add_subcommand(
      "bench",
      "Example: athanor bench limits cnn_train --threads 1\n\n"
      "Times workloads on this machine, all of them without a name. The median of --repeats runs "
      "after three that are not timed; docs/performance.md says what each does.");
  c->add_option("name", o->names, "Workloads (see --list)")->option_text("[NAME...]");
  c->add_option("--threads", o->threads, "Threads, 0 = all cores")->check(CLI::NonNegativeNumber);
  add_device_option(*c, o->device);
  c->add_option("--repeats", o->repeats, "Timed runs; a short workload has more")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  c->add_option("--data", o->data, "Directory with data sets; gcn_train reads Cora from it");
  c->add_flag("--deterministic", o->deterministic, "The same bits at every number of threads");
  c->add_flag("--json", o->json, "One JSON object a line");
  c->add_flag("--list", o->list, "Name the workloads and say what they do");
  c->callback([o] { run_bench(*o); });
}

}  // namespace athanor::cli
