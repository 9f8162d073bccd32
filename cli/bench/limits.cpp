// What the machine can do: the limits that the other rows are compared with.
#include <algorithm>
#include <cstring>
#include <memory>

#include "cli/bench/bench.h"
#include "tensor/backend/cpu/cpu.h"
#include "tensor/backend/cpu/vnni.h"
#include "tensor/base/parallel.h"
#include "tensor/ops.h"
#include "tensor/random.h"

namespace athanor::cli::bench {
namespace {

// Fused multiply-adds on registers, on all threads at once.
void peak_fma(const Bench& bench) {
  constexpr std::int64_t kSteps = 1 << 18;
  const std::int64_t threads = bench.settings().threads;
  Work work;
  work.flops = static_cast<double>(threads) * cpu::fma_flops_per_step() * kSteps;
  bench.time("limit_fma", cpu::name_of(cpu::selected_isa()), work, [threads] {
    parallel_chunks(threads, [](std::int64_t) { cpu::run_fma_steps(kSteps); });
  });
}

// The same of bytes, in INT8 products.
void peak_int8(const Bench& bench) {
  constexpr std::int64_t kSteps = 1 << 18;
  const std::int64_t threads = bench.settings().threads;
  Work work;
  work.flops = static_cast<double>(threads) * cpu::int8_operations_per_step() * kSteps;
  bench.time("limit_int8", cpu::vnni() ? "vnni" : "no vnni", work, [threads] {
    parallel_chunks(threads, [](std::int64_t) { cpu::run_int8_steps(kSteps); });
  });
}

void best_gemm(const Bench& bench) {
  Generator generator(0);
  const std::int64_t n = 1024;
  const Tensor a = random_normal({n, n}, generator), b = random_normal({n, n}, generator);
  Work work;
  work.flops = 2.0 * n * n * n;
  bench.time("limit_gemm", "f32 1024", work, [&] { matmul(a, b); });
}

// A copy of `bytes` bytes, cut among the threads; counts what is read and what is written.
void copy_bandwidth(const Bench& bench, const char* variant, std::size_t bytes) {
  const auto from = std::make_unique<std::byte[]>(bytes), to = std::make_unique<std::byte[]>(bytes);
  constexpr std::size_t kPiece = 1 << 18;
  Work work;
  work.bytes = 2.0 * static_cast<double>(bytes);
  bench.time("limit_copy", variant, work, [&] {
    parallel_chunks(static_cast<std::int64_t>(bytes / kPiece), [&](std::int64_t i) {
      const std::size_t at = static_cast<std::size_t>(i) * kPiece;
      std::memcpy(to.get() + at, from.get() + at, kPiece);
    });
  });
}

void limits(const Bench& bench) {
  peak_fma(bench);
  peak_int8(bench);
  best_gemm(bench);
  copy_bandwidth(bench, "16 MiB", std::size_t{16} << 20);
  copy_bandwidth(bench, "256 MiB", std::size_t{256} << 20);
}

}  // namespace

std::vector<Workload> limit_workloads() {
  return {{"limits", "what the machine can do: FMA, INT8, GEMM and copying", limits, true}};
}

}  // namespace athanor::cli::bench
