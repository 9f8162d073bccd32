#include "tensor/base/profile.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <mutex>
#include <vector>

#include "tensor/base/error.h"
#include "tensor/base/profile_record.h"

namespace athanor {
namespace detail {

std::atomic<std::uint64_t> profile_run{0};
constinit thread_local const char* kernel_path = nullptr;
constinit thread_local std::uint64_t paused_run = 0;
constinit thread_local int calls_to_leave_out = 0;

std::int64_t profile_now() {
  using Clock = std::chrono::steady_clock;
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch())
      .count();
}

// Never destroyed: threads may end after the objects of static storage duration.
Recorder& recorder() {
  static Recorder* instance = new Recorder;
  return *instance;
}

}  // namespace detail

namespace {

using detail::KernelEvent;
using detail::Recorder;
using detail::recorder;
using detail::ThreadRecord;

// Calls that a thread records before it asks what they cost.
constexpr std::int64_t kBurst = 1024;
// Calls left out between two readings of the clock.
constexpr int kPausedCalls = 128;

// This thread's record of the current run.
ThreadRecord& record_of_thread() {
  thread_local std::shared_ptr<ThreadRecord> record;
  Recorder& r = recorder();
  if (!record) {
    record = std::make_shared<ThreadRecord>();
    const std::lock_guard lock(r.mutex);
    record->number = static_cast<int>(r.threads.size());
    r.threads.push_back(record);
  }
  return *record;
}

// Calls add(record) with the record locked and emptied of older runs.
template <class F>
void with_record(F add) {
  ThreadRecord& record = record_of_thread();
  const std::lock_guard lock(record.mutex);
  const std::uint64_t run = recorder().run.load(std::memory_order_relaxed);
  if (record.run != run) {
    record.clear();
    record.run = run;
  }
  add(record);
}

// Whether there is room for one event more.
bool take_place() {
  Recorder& r = recorder();
  if (r.places.fetch_sub(1, std::memory_order_relaxed) > 0) return true;
  r.lost.fetch_add(1, std::memory_order_relaxed);
  return false;
}

// What it costs to record a call, in nanoseconds: the median of some measurements.
double measure_event_cost() {
  constexpr int kCalls = 128;
  ThreadRecord record;
  std::array<double, 9> costs;
  for (double& cost : costs) {
    const std::int64_t start = detail::profile_now();
    for (int i = 0; i < kCalls; ++i) {
      KernelEvent event;
      event.op = event.path = "";
      event.start = detail::profile_now();
      event.duration = detail::profile_now() - event.start;
      const std::lock_guard lock(record.mutex);
      record.add(event, true);
    }
    cost = static_cast<double>(detail::profile_now() - start) / kCalls;
  }
  std::nth_element(costs.begin(), costs.begin() + costs.size() / 2, costs.end());
  return costs[costs.size() / 2];
}

// Ends a burst that ended at `now`; this thread pauses if its cost is not yet a small enough share.
void weigh_burst(ThreadRecord& record, std::int64_t now) {
  const Recorder& r = recorder();
  const double share = r.max_cost.load(std::memory_order_relaxed);
  const double cost =
      r.event_cost.load(std::memory_order_relaxed) * static_cast<double>(record.burst_calls);
  const double worked = std::max(static_cast<double>(now - record.burst_start) - cost, 0.0);
  const double pause = cost / share - worked;
  if (share >= 1 || pause <= 0) return record.end_burst();
  record.pause_start = now;
  record.pause_end = now + static_cast<std::int64_t>(pause);
  detail::paused_run = record.run;
  detail::calls_to_leave_out = 0;
}

}  // namespace

void start_profile(std::int64_t max_events, double max_cost) {
  if (max_events < 1) fail("start_profile", "expected max_events >= 1, got ", max_events);
  if (!(max_cost > 0 && max_cost <= 1)) {
    fail("start_profile", "expected max_cost in (0, 1], got ", max_cost);
  }
  Recorder& r = recorder();
  r.event_cost = measure_event_cost();
  r.max_cost = max_cost;
  const std::lock_guard lock(r.mutex);
  r.run.fetch_add(1);
  r.places = max_events;
  r.lost = 0;
  r.start = detail::profile_now();
  r.stop = 0;
  detail::profile_run = r.run.load();
}

void stop_profile() {
  Recorder& r = recorder();
  const std::lock_guard lock(r.mutex);
  if (detail::profile_run.exchange(0) != 0) r.stop = detail::profile_now();
}

bool profile_running() { return detail::profile_run.load() != 0; }

double profile_time() {
  return static_cast<double>(detail::profile_now() - recorder().start) * 1e-3;
}

ProfileSpan::ProfileSpan(const char* name) {
  if (!profile_running()) return;
  name_ = name;
  start_ = detail::profile_now();
}

ProfileSpan::~ProfileSpan() {
  if (start_ < 0 || !profile_running()) return;
  const std::int64_t duration = detail::profile_now() - start_;
  try {
    if (!take_place()) return;
    with_record([&](ThreadRecord& record) { record.spans.push_back({name_, start_, duration}); });
  } catch (const std::bad_alloc&) {
    recorder().lost.fetch_add(1);
  }
}

namespace detail {

void add_kernel_event(const KernelEvent& event) {
  const bool keep = take_place();
  with_record([&](ThreadRecord& record) {
    record.add(event, keep);
    if (record.burst_calls == kBurst) weigh_burst(record, event.start + event.duration);
  });
}

bool pause_ended() {
  ThreadRecord& own = record_of_thread();
  const std::int64_t now = profile_now();
  if (now < own.pause_end) {
    own.paused.fetch_add(kPausedCalls, std::memory_order_relaxed);
    calls_to_leave_out = kPausedCalls - 1;
    return false;
  }
  const bool keep = take_place();
  with_record([&](ThreadRecord& record) {
    if (keep)
      record.pauses.push_back({record.pause_start, now - record.pause_start, record.paused});
    record.end_burst();
  });
  paused_run = 0;
  return true;
}

}  // namespace detail
}  // namespace athanor
