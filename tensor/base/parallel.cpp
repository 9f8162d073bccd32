#include "tensor/base/parallel.h"

#include <omp.h>

#include <atomic>
#include <exception>
#include <mutex>

#include "tensor/base/error.h"

namespace athanor {

void set_num_threads(int n) {
  if (n < 0) fail("set_num_threads", "expected n >= 0, got ", n);
  omp_set_num_threads(n == 0 ? omp_get_num_procs() : n);
}

int num_threads() { return omp_get_max_threads(); }

namespace detail {

void run_chunks(std::int64_t chunks, ChunkFn fn, void* context) {
  if (chunks <= 1 || num_threads() == 1 || omp_in_parallel()) {
    for (std::int64_t c = 0; c < chunks; ++c) fn(context, c);
    return;
  }
  std::exception_ptr first;
  std::mutex mutex;
  std::atomic<bool> failed{false};
#pragma omp parallel for schedule(dynamic, 1)
  for (std::int64_t c = 0; c < chunks; ++c) {
    if (failed.load(std::memory_order_relaxed)) continue;
    try {
      fn(context, c);
    } catch (...) {
      std::lock_guard lock(mutex);
      if (!first) first = std::current_exception();
      failed = true;
    }
  }
  if (first) std::rethrow_exception(first);
}

void run_ranges(std::int64_t n, std::int64_t grain, RangeFn fn, void* context) {
  if (n <= 0) return;
  if (n <= grain) return fn(context, 0, n);
  parallel_chunks((n + grain - 1) / grain, [&](std::int64_t chunk) {
    const std::int64_t begin = chunk * grain;
    fn(context, begin, begin + grain < n ? begin + grain : n);
  });
}

}  // namespace detail
}  // namespace athanor
