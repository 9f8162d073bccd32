// What the profile keeps: of each thread, and what threads share. Internal to the profile.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tensor/base/profile.h"

namespace athanor::detail {

struct SpanEvent {
  std::string name;
  std::int64_t start, duration;
};

struct PauseEvent {
  std::int64_t start, duration, calls;
};

struct Sums {
  double calls = 0, time = 0, bytes = 0;

  void add(const Sums& other, double times) {
    calls += times * other.calls, time += times * other.time, bytes += times * other.bytes;
  }
};

struct OpTotal {
  const char* op;
  const char* path;
  DType dtype;
  Sums before, burst;  // of the bursts before this one, with what their pauses left out
};

// What one thread recorded. Its mutex is contended only while the record is read.
struct ThreadRecord {
  std::mutex mutex;
  std::uint64_t run = 0;  // of start_profile()
  int number = 0;
  std::vector<KernelEvent> kernels;
  std::vector<SpanEvent> spans;
  std::vector<PauseEvent> pauses;
  std::vector<OpTotal> totals;
  std::int64_t burst_start = 0, burst_calls = 0;
  std::int64_t pause_start = 0, pause_end = 0;
  std::atomic<std::int64_t> paused{0};      // calls that this pause left out
  std::int64_t recorded = 0, left_out = 0;  // calls, before this burst and its pause

  void clear() {
    kernels.clear();
    spans.clear();
    pauses.clear();
    totals.clear();
    burst_calls = recorded = left_out = 0;
    paused = 0;
  }

  // The sums of events of this kind. Few kinds occur, and names are literals: pointers tell.
  OpTotal& total_of(const KernelEvent& e) {
    for (OpTotal& t : totals) {
      if (t.op == e.op && t.path == e.path && t.dtype == e.dtype) return t;
    }
    totals.push_back({e.op, e.path, e.dtype, {}, {}});
    return totals.back();
  }

  void add(const KernelEvent& e, bool keep) {
    if (keep) kernels.push_back(e);
    total_of(e).burst.add({1, static_cast<double>(e.duration), static_cast<double>(e.bytes)}, 1);
    if (burst_calls++ == 0) burst_start = e.start;
  }

  // How many calls each of this burst stands for: those left out since are taken to be like it.
  double weight() const {
    if (burst_calls == 0) return 1;
    return 1 + static_cast<double>(paused.load(std::memory_order_relaxed)) /
                   static_cast<double>(burst_calls);
  }

  void end_burst() {
    for (OpTotal& t : totals) {
      t.before.add(t.burst, weight());
      t.burst = {};
    }
    recorded += burst_calls;
    left_out += paused.load(std::memory_order_relaxed);
    burst_calls = 0;
    paused.store(0, std::memory_order_relaxed);
  }
};

struct Recorder {
  std::mutex mutex;
  std::vector<std::shared_ptr<ThreadRecord>> threads;
  std::atomic<std::uint64_t> run{0};
  std::atomic<std::int64_t> places{0};  // events that may still be kept
  std::atomic<std::int64_t> lost{0};
  std::atomic<double> event_cost{0};  // nanoseconds
  std::atomic<double> max_cost{1};    // share of the time
  std::int64_t start = 0, stop = 0;
};

Recorder& recorder();

// Calls f(record) for each thread's record of the last run.
template <class F>
void for_each_record(F f) {
  Recorder& r = recorder();
  const std::lock_guard lock(r.mutex);
  for (const auto& record : r.threads) {
    const std::lock_guard own(record->mutex);
    if (record->run == r.run.load()) f(*record);
  }
}

}  // namespace athanor::detail
