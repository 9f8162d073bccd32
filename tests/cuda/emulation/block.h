// Runs CUDA kernels on the CPU, one thread block after the other, to prove their logic where there
// is no GPU.
//
// Each thread of a block is a fiber. It runs until it needs another thread (a barrier, a warp
// operation) and goes on when those it waits for have arrived. What a GPU would answer with wrong
// numbers or a hang is an error here, which names the place in the kernel:
//   - a barrier that only some threads of the block reach, or two different barriers at once;
//   - a warp operation whose mask names a lane that never comes, leaves out the caller, or reads a
//     lane outside the mask;
//   - a vector access that is not aligned;
//   - a launch configuration that the hardware refuses.
// Dynamic shared memory is filled with NaN before each block and ends at a page that cannot be
// touched. The order in which threads run can be reversed: a missing barrier makes the two orders
// differ, or one of them wrong. Results are compared bit by bit by the tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <source_location>

namespace athanor::emulation {

struct Index3 {
  unsigned x = 0, y = 0, z = 0;
};

// Shape of a launch, and what the kernels asked for since the start of the program.
struct Launch {
  Index3 grid, block;
  std::size_t shared_bytes = 0;
};

enum class Order { forward, reverse };
// The order in which a block's threads start and pass barriers, and in which blocks run.
void set_order(Order order);

// Runs `thread` for every thread of the grid. Throws athanor::Error for what is listed above, or
// what `thread` throws.
void run_grid(const Launch& launch, const std::function<void()>& thread);

// What the running thread reads and calls; the names of CUDA in cuda_runtime.h stand for these.
extern Index3 thread_index, block_index, block_size, grid_size;
unsigned char* dynamic_shared_memory();

using Place = std::source_location;
void block_barrier(const Place& place);
// Whether `value` holds for any thread of the block.
int block_barrier_or(int value, const Place& place);

// Lanes of the caller's warp exchange 64-bit words: waits for all lanes of `mask` and gives the
// word of each. `values` has 32 places; those of other lanes have no meaning.
void warp_exchange(unsigned mask, std::uint64_t value, std::uint64_t* values, const char* operation,
                   const Place& place);
unsigned lane();

[[noreturn]] void fail(const Place& place, const char* message);
// Throws unless `address` is a multiple of `bytes`.
void check_aligned(const void* address, std::size_t bytes, const Place& place);
// Throws when the address is shared memory: the access names global memory.
void check_global(const void* address, const Place& place);

// Barriers and warp operations since the start of the program: what tests of the emulation look at.
struct Counters {
  std::int64_t launches = 0, blocks = 0, threads = 0, barriers = 0, warp_operations = 0;
};
Counters& counters();

}  // namespace athanor::emulation
