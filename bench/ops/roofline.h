// Rows of the operation benchmark: what a call moves and computes, beside what the machine can do.
#pragma once

#include <benchmark/benchmark.h>

#include "tensor/random.h"
#include "tensor/tensor.h"

namespace athanor::bench {

// Measured once, at the start, with the threads in use.
struct Roofline {
  double gflops = 0;  // fused multiply-adds in registers
  double gbps = 0;    // a copy of 16 MiB, bytes read and written
};
const Roofline& roofline();

// Adds the counters GB/s, GFLOP/s and roof: the time that the slower of both limits would need,
// over the time taken.
void count_work(benchmark::State& state, double bytes, double flops);

// Uniform in [-1, 1), the same in each run.
Tensor random_input(const Shape& shape);

}  // namespace athanor::bench
