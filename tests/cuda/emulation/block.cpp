#include "tests/cuda/emulation/block.h"

#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <vector>

#include "tensor/base/error.h"
#include "tests/cuda/emulation/guarded_memory.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace athanor::emulation {

Index3 thread_index, block_index, block_size, grid_size;

namespace {

constexpr unsigned kWarp = 32;
constexpr std::size_t kStackBytes = 256 * 1024;
// Limits of every device of compute capability 8.0 to 9.0.
constexpr unsigned kMaxThreads = 1024, kMaxBlockZ = 64, kMaxGridYZ = 65535;
constexpr std::size_t kMaxShared = 163 * 1024;

Order order = Order::forward;

// A stack that threads run on, one after the other.
struct Fiber {
  ucontext_t context;
  jmp_buf resume;
  std::unique_ptr<unsigned char[]> stack{new unsigned char[kStackBytes]};
  bool started = false;
  unsigned thread = 0;  // that it runs now
};

// One warp operation: lanes of `mask` arrive, then read.
struct Exchange {
  unsigned mask = 0, arrived = 0, to_read = 0;
  const char* operation = nullptr;
  Place place;
  std::uint64_t values[kWarp] = {};
  std::vector<Fiber*> waiting;
};

// The block that runs now.
struct Block {
  unsigned threads = 0, started = 0, finished = 0;
  const std::function<void()>* body = nullptr;
  std::deque<Fiber*> ready;
  std::vector<Fiber*> at_barrier;
  std::optional<Place> barrier;
  int barrier_or = 0, barrier_result = 0;
  std::vector<std::vector<Exchange*>> arriving;  // by warp: some lanes are still missing
  std::exception_ptr error;
};

Block block;
std::vector<std::unique_ptr<Fiber>> fibers;
std::vector<Fiber*> idle;
std::vector<std::unique_ptr<Exchange>> exchanges;
std::vector<Exchange*> unused_exchanges;
Fiber* running = nullptr;
jmp_buf scheduler_resume;
std::optional<GuardedMemory> shared_memory;

#if defined(__SANITIZE_ADDRESS__)
// The sanitizer must hear of each change of stack; it does not know those by longjmp.
ucontext_t scheduler;
const void* scheduler_stack = nullptr;
std::size_t scheduler_stack_bytes = 0;
void* scheduler_fake_stack = nullptr;

void yield() {
  Fiber* self = running;
  void* fake = nullptr;
  __sanitizer_start_switch_fiber(&fake, scheduler_stack, scheduler_stack_bytes);
  swapcontext(&self->context, &scheduler);
  __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
}
void on_fiber_entry() {
  __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack, &scheduler_stack_bytes);
}
void switch_to(Fiber* fiber) {
  __sanitizer_start_switch_fiber(&scheduler_fake_stack, fiber->stack.get(), kStackBytes);
  swapcontext(&scheduler, &fiber->context);
  __sanitizer_finish_switch_fiber(scheduler_fake_stack, nullptr, nullptr);
}
#else
// swapcontext saves the signal mask by a system call; these do not, and are 20 times as fast.
__attribute__((noinline)) void yield() {
  if (_setjmp(running->resume) == 0) _longjmp(scheduler_resume, 1);
}
void on_fiber_entry() {}
__attribute__((noinline)) void switch_to(Fiber* fiber) {
  if (_setjmp(scheduler_resume) != 0) return;
  if (fiber->started) _longjmp(fiber->resume, 1);
  fiber->started = true;
  setcontext(&fiber->context);
}
#endif

unsigned thread_at(unsigned position) {
  return order == Order::forward ? position : block.threads - 1 - position;
}

void set_thread_index(unsigned thread) {
  thread_index.x = thread % block_size.x;
  thread_index.y = thread / block_size.x % block_size.y;
  thread_index.z = thread / block_size.x / block_size.y;
}

// Takes threads that have not started, until none is left.
void fiber_main() {
  on_fiber_entry();
  for (;;) {
    while (!block.error && block.started < block.threads) {
      running->thread = thread_at(block.started++);
      set_thread_index(running->thread);
      try {
        (*block.body)();
      } catch (...) {
        block.error = std::current_exception();
      }
      ++block.finished;
    }
    idle.push_back(running);
    yield();
  }
}

Fiber* new_fiber() {
  fibers.push_back(std::make_unique<Fiber>());
  Fiber* fiber = fibers.back().get();
  getcontext(&fiber->context);
  fiber->context.uc_stack.ss_sp = fiber->stack.get();
  fiber->context.uc_stack.ss_size = kStackBytes;
  fiber->context.uc_link = nullptr;
  makecontext(&fiber->context, fiber_main, 0);
  return fiber;
}

void resume(Fiber* fiber) {
  running = fiber;
  set_thread_index(fiber->thread);
  switch_to(fiber);
  running = nullptr;
}

std::string where(const Place& place) { return str(place.file_name(), ":", place.line()); }

// Releases the barrier when every thread waits there.
bool release_barrier() {
  if (block.at_barrier.size() != block.threads) return false;
  std::sort(block.at_barrier.begin(), block.at_barrier.end(), [](const Fiber* a, const Fiber* b) {
    return order == Order::forward ? a->thread < b->thread : a->thread > b->thread;
  });
  block.ready.assign(block.at_barrier.begin(), block.at_barrier.end());
  block.at_barrier.clear();
  block.barrier.reset();
  block.barrier_result = block.barrier_or;
  block.barrier_or = 0;
  return true;
}

// What the threads wait for that can go no further.
[[noreturn]] void fail_stuck() {
  for (const auto& of_warp : block.arriving) {
    for (const Exchange* exchange : of_warp) {
      throw Error(str("[emulation] ", exchange->operation, " at ", where(exchange->place),
                      ": lanes of mask ", exchange->mask, " never arrive (arrived ",
                      exchange->arrived, ")"));
    }
  }
  throw Error(str("[emulation] barrier at ", where(*block.barrier), ": ", block.at_barrier.size(),
                  " of ", block.threads, " threads arrive, ", block.finished, " have ended"));
}

void run_block(const std::function<void()>& body) {
  block = Block{};
  block.threads = block_size.x * block_size.y * block_size.z;
  block.body = &body;
  block.arriving.resize((block.threads + kWarp - 1) / kWarp);
  while (!block.error) {
    if (!block.ready.empty()) {
      Fiber* next = block.ready.front();
      block.ready.pop_front();
      resume(next);
    } else if (block.started < block.threads) {
      Fiber* next = idle.empty() ? new_fiber() : idle.back();
      if (!idle.empty()) idle.pop_back();
      resume(next);
    } else if (block.finished == block.threads) {
      return;
    } else if (!release_barrier()) {
      fail_stuck();
    }
  }
  std::rethrow_exception(block.error);
}

// Forgets fibers that an error left in the middle of a thread.
void drop_fibers() {
  fibers.clear();
  idle.clear();
  exchanges.clear();
  unused_exchanges.clear();
  block = Block{};
}

// The operation that a lane of `warp` joins, or a new one.
Exchange* find_exchange(unsigned warp, unsigned mask, const char* operation, const Place& place) {
  for (Exchange* e : block.arriving[warp]) {
    if (!(e->mask & mask)) continue;
    if (e->mask == mask && e->place.line() == place.line() &&
        (e->operation == operation || std::strcmp(e->operation, operation) == 0)) {
      return e;
    }
    throw Error(str("[emulation] lanes of one warp meet in two operations: ", e->operation, " at ",
                    where(e->place), " and ", operation, " at ", where(place)));
  }
  if (unused_exchanges.empty()) {
    exchanges.push_back(std::make_unique<Exchange>());
    unused_exchanges.push_back(exchanges.back().get());
  }
  Exchange* fresh = unused_exchanges.back();
  unused_exchanges.pop_back();
  fresh->mask = mask;
  fresh->arrived = 0;
  fresh->operation = operation;
  fresh->place = place;
  fresh->waiting.clear();
  block.arriving[warp].push_back(fresh);
  return fresh;
}

void check_launch(const Launch& l) {
  const std::uint64_t threads = std::uint64_t{l.block.x} * l.block.y * l.block.z;
  const bool grid = l.grid.x > 0 && l.grid.y > 0 && l.grid.z > 0 && l.grid.x <= 0x7fffffffu &&
                    l.grid.y <= kMaxGridYZ && l.grid.z <= kMaxGridYZ;
  if (grid && threads > 0 && threads <= kMaxThreads && l.block.z <= kMaxBlockZ &&
      l.shared_bytes <= kMaxShared) {
    return;
  }
  throw Error(str("[emulation] launch refused: grid (", l.grid.x, ", ", l.grid.y, ", ", l.grid.z,
                  "), block (", l.block.x, ", ", l.block.y, ", ", l.block.z, "), ", l.shared_bytes,
                  " bytes of shared memory"));
}

}  // namespace

void set_order(Order value) { order = value; }

Counters& counters() {
  static Counters value;
  return value;
}

void run_grid(const Launch& launch, const std::function<void()>& thread) {
  check_launch(launch);
  grid_size = launch.grid;
  block_size = launch.block;
  if (!shared_memory || shared_memory->size() != launch.shared_bytes) {
    shared_memory.emplace(launch.shared_bytes, 1024);
  }
  const std::uint64_t blocks = std::uint64_t{launch.grid.x} * launch.grid.y * launch.grid.z;
  ++counters().launches;
  try {
    for (std::uint64_t i = 0; i < blocks; ++i) {
      const std::uint64_t at = order == Order::forward ? i : blocks - 1 - i;
      block_index.x = static_cast<unsigned>(at % launch.grid.x);
      block_index.y = static_cast<unsigned>(at / launch.grid.x % launch.grid.y);
      block_index.z = static_cast<unsigned>(at / launch.grid.x / launch.grid.y);
      std::memset(shared_memory->data(), 0xFF, launch.shared_bytes);
      run_block(thread);
      ++counters().blocks;
      counters().threads += block.threads;
    }
  } catch (...) {
    drop_fibers();
    throw;
  }
}

unsigned char* dynamic_shared_memory() { return shared_memory->data(); }

void block_barrier(const Place& place) { block_barrier_or(0, place); }

int block_barrier_or(int value, const Place& place) {
  ++counters().barriers;
  if (!block.barrier) block.barrier = place;
  if (block.barrier->line() != place.line() || block.barrier->column() != place.column()) {
    throw Error(str("[emulation] threads of one block wait at two barriers: ",
                    where(*block.barrier), " and ", where(place)));
  }
  block.barrier_or |= value != 0;
  block.at_barrier.push_back(running);
  yield();
  return block.barrier_result;
}

unsigned lane() { return running->thread % kWarp; }

void warp_exchange(unsigned mask, std::uint64_t value, std::uint64_t* values, const char* operation,
                   const Place& place) {
  ++counters().warp_operations;
  Fiber* self = running;
  const unsigned self_bit = 1u << lane();
  if (!(mask & self_bit)) fail(place, "the mask of a warp operation leaves out its caller");
  Exchange* exchange = find_exchange(self->thread / kWarp, mask, operation, place);
  exchange->values[lane()] = value;
  exchange->arrived |= self_bit;
  if (exchange->arrived == mask) {
    std::erase(block.arriving[self->thread / kWarp], exchange);
    exchange->to_read = mask;
    for (Fiber* fiber : exchange->waiting) block.ready.push_back(fiber);
  } else {
    exchange->waiting.push_back(self);
    yield();
  }
  std::memcpy(values, exchange->values, sizeof(exchange->values));
  exchange->to_read &= ~self_bit;
  if (exchange->to_read == 0) unused_exchanges.push_back(exchange);
}

void fail(const Place& place, const char* message) {
  throw Error(str("[emulation] ", message, " at ", where(place)));
}

void check_aligned(const void* address, std::size_t bytes, const Place& place) {
  if (reinterpret_cast<std::uintptr_t>(address) % bytes != 0) {
    throw Error(str("[emulation] address ", address, " is not a multiple of ", bytes, " at ",
                    where(place)));
  }
}

void check_global(const void* address, const Place& place) {
  if (!shared_memory) return;
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  const auto begin = reinterpret_cast<std::uintptr_t>(shared_memory->data());
  if (at >= begin && at < begin + shared_memory->size()) {
    throw Error(
        str("[emulation] an access to global memory names shared memory at ", where(place)));
  }
}

}  // namespace athanor::emulation
