#include <cstdint>
#include <cstring>
#include <deque>
#include <vector>

#include <cuda_pipeline.h>

namespace athanor::emulation {
namespace {

struct Copy {
  void* to;
  const void* from;
  std::size_t bytes;
};

// The copies of a thread: batches under way, the oldest first, and one that is not closed.
struct Copies {
  std::deque<std::vector<Copy>> batches;
  std::vector<Copy> open;
};

std::vector<Copies> of_threads;
std::int64_t of_block = -1;

Copies& of_running_thread() {
  // A new block starts without any.
  const std::int64_t block = counters().launches + counters().blocks;
  if (block != of_block) of_threads.clear();
  of_block = block;
  const std::size_t thread =
      thread_index.x + block_size.x * (thread_index.y + std::size_t{block_size.y} * thread_index.z);
  if (of_threads.size() <= thread) of_threads.resize(thread + 1);
  return of_threads[thread];
}

}  // namespace

void start_copy(void* to, const void* from, std::size_t bytes, const Place& place) {
  if (bytes != 4 && bytes != 8 && bytes != 16) fail(place, "a copy of other than 4, 8, 16 bytes");
  check_global(from, place);
  check_aligned(from, bytes, place);
  check_aligned(to, bytes, place);
  std::memset(to, 0xFF, bytes);
  of_running_thread().open.push_back({to, from, bytes});
}

void end_batch() {
  Copies& copies = of_running_thread();
  copies.batches.push_back(std::move(copies.open));
  copies.open.clear();
}

void wait_for_batches(std::size_t left) {
  Copies& copies = of_running_thread();
  while (copies.batches.size() > left) {
    for (const Copy& copy : copies.batches.front()) std::memcpy(copy.to, copy.from, copy.bytes);
    copies.batches.pop_front();
  }
}

}  // namespace athanor::emulation
