// parallel.h on std::thread: for the static build, which has no OpenMP runtime, and for
// ThreadSanitizer, which does not understand it (-DATHANOR_OPENMP=OFF).
//
// The calling thread works too and takes what is left, so nobody waits for a worker that has not
// woken up or that another process keeps off its core: only chunks that a worker has begun are
// waited for. An idle worker looks for work for a few microseconds, then sleeps.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "tensor/base/error.h"
#include "tensor/base/parallel.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace athanor {
namespace {

int available_cpus() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Chunks of one call, taken in order.
struct Job {
  detail::ChunkFn fn;
  void* context;
  std::int64_t chunks;
  std::atomic<std::int64_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  std::exception_ptr first;

  void work() {
    for (;;) {
      const std::int64_t chunk = next.fetch_add(1, std::memory_order_relaxed);
      if (chunk >= chunks || failed.load(std::memory_order_relaxed)) return;
      try {
        fn(context, chunk);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!first) first = std::current_exception();
        failed = true;
      }
    }
  }
};

constinit thread_local bool working = false;  // inside a chunk: calls from there run serially

class ThreadPool {
 public:
  ~ThreadPool() { resize(0); }

  void set_threads(int n) {
    const std::lock_guard call(call_mutex_);
    threads_.store(n, std::memory_order_relaxed);
    if (static_cast<std::size_t>(n - 1) < workers_.size()) resize(0);
  }
  int threads() const { return threads_.load(std::memory_order_relaxed); }

  // False when another thread uses the pool now.
  bool run(Job& job) {
    const std::unique_lock call(call_mutex_, std::try_to_lock);
    if (!call.owns_lock()) return false;
    const std::int64_t helpers = std::min<std::int64_t>(threads() - 1, job.chunks - 1);
    while (static_cast<std::int64_t>(workers_.size()) < helpers) {
      workers_.emplace_back([this] { serve(); });
    }
    {
      const std::lock_guard lock(mutex_);
      job_ = &job;
      places_ = helpers;
      posted_.fetch_add(1, std::memory_order_release);
    }
    if (sleeping_.load() > 0) wake_.notify_all();
    job.work();
    std::unique_lock lock(mutex_);
    job_ = nullptr;
    done_.wait(lock, [this] { return active_ == 0; });
    return true;
  }

 private:
  // Spinning pays when calls follow one another closely, as in a training step.
  static constexpr int kSpins = 2000;

  void serve() {
    working = true;
    std::uint64_t seen = 0;
    for (;;) {
      for (int i = 0; i < kSpins && posted_.load(std::memory_order_acquire) == seen; ++i) {
        pause_briefly();
      }
      std::unique_lock lock(mutex_);
      sleeping_.fetch_add(1);
      wake_.wait(lock, [&] { return stop_ || posted_.load(std::memory_order_relaxed) != seen; });
      sleeping_.fetch_sub(1);
      if (stop_) return;
      seen = posted_.load(std::memory_order_relaxed);
      if (!job_ || places_ == 0) continue;
      Job* job = job_;
      --places_;
      ++active_;
      lock.unlock();
      job->work();
      lock.lock();
      if (--active_ == 0) done_.notify_one();
    }
  }

  void resize(std::size_t n) {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    workers_.resize(n);
    stop_ = false;
  }

  std::atomic<int> threads_{available_cpus()};
  std::mutex call_mutex_;  // held during a call: of workers_
  std::vector<std::thread> workers_;
  std::atomic<std::uint64_t> posted_{0};
  std::atomic<int> sleeping_{0};
  std::mutex mutex_;  // of all below
  std::condition_variable wake_, done_;
  Job* job_ = nullptr;
  std::int64_t places_ = 0;  // workers that may still join the job
  int active_ = 0;           // workers in it
  bool stop_ = false;
};

// Never destroyed: objects of static storage duration may still compute when the process ends, and
// its threads end with it.
ThreadPool& pool() {
  static ThreadPool* instance = new ThreadPool;
  return *instance;
}

}  // namespace

void set_num_threads(int n) {
  if (n < 0) fail("set_num_threads", "expected n >= 0, got ", n);
  pool().set_threads(n == 0 ? available_cpus() : n);
}

int num_threads() { return pool().threads(); }

namespace detail {

void run_chunks(std::int64_t chunks, ChunkFn fn, void* context) {
  if (chunks > 1 && !working && pool().threads() > 1) {
    Job job{fn, context, chunks, {}, {}, {}, {}};
    working = true;
    const bool ran = pool().run(job);
    working = false;
    if (ran) {
      if (job.first) std::rethrow_exception(job.first);
      return;
    }
  }
  for (std::int64_t c = 0; c < chunks; ++c) fn(context, c);
}

}  // namespace detail
}  // namespace athanor
