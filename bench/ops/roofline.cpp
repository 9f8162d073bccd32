#include "bench/ops/roofline.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>

#include "tensor/backend/cpu/cpu.h"
#include "tensor/base/parallel.h"

namespace athanor::bench {
namespace {

// Seconds of the fastest of several calls.
template <class F>
double fastest(F f) {
  using Clock = std::chrono::steady_clock;
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 10; ++i) {
    const auto start = Clock::now();
    f();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

Roofline measure() {
  constexpr std::int64_t kSteps = 1 << 18;
  constexpr std::size_t kBytes = std::size_t{16} << 20, kPiece = std::size_t{1} << 18;
  const int threads = num_threads();
  Roofline roof;
  const double flops = threads * cpu::fma_flops_per_step() * static_cast<double>(kSteps);
  roof.gflops = flops * 1e-9 / fastest([threads] {
                  parallel_chunks(threads, [](std::int64_t) { cpu::run_fma_steps(kSteps); });
                });
  const auto from = std::make_unique<std::byte[]>(kBytes),
             to = std::make_unique<std::byte[]>(kBytes);
  roof.gbps = 2 * static_cast<double>(kBytes) * 1e-9 / fastest([&] {
                parallel_chunks(kBytes / kPiece, [&](std::int64_t i) {
                  const std::size_t at = static_cast<std::size_t>(i) * kPiece;
                  std::memcpy(to.get() + at, from.get() + at, kPiece);
                });
              });
  return roof;
}

}  // namespace

const Roofline& roofline() {
  static const Roofline roof = measure();
  return roof;
}

void count_work(benchmark::State& state, double bytes, double flops) {
  using benchmark::Counter;
  const double runs = static_cast<double>(state.iterations());
  const Roofline& roof = roofline();
  const double least = std::max(bytes * 1e-9 / roof.gbps, flops * 1e-9 / roof.gflops);
  if (bytes > 0) state.counters["GB/s"] = Counter(bytes * 1e-9 * runs, Counter::kIsRate);
  if (flops > 0) state.counters["GFLOP/s"] = Counter(flops * 1e-9 * runs, Counter::kIsRate);
  state.counters["roof"] = Counter(least * runs, Counter::kIsRate);
}

Tensor random_input(const Shape& shape) {
  Generator generator(0);
  return random_uniform(shape, generator, -1, 1);
}

}  // namespace athanor::bench

// One thread unless OMP_NUM_THREADS says otherwise: wall time, since the threads are ours.
int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  if (!std::getenv("OMP_NUM_THREADS")) athanor::set_num_threads(1);
  const athanor::bench::Roofline& roof = athanor::bench::roofline();
  benchmark::AddCustomContext("threads", std::to_string(athanor::num_threads()));
  benchmark::AddCustomContext("limit GFLOP/s", std::to_string(roof.gflops));
  benchmark::AddCustomContext("limit GB/s", std::to_string(roof.gbps));
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
