// Where the time goes: a record of each kernel call and of named spans, written as a Chrome trace
// (chrome://tracing, ui.perfetto.dev) and as a table.
//
// Off, it costs one load a kernel call. On, an event takes two readings of the clock and some 100
// bytes of memory, which is nothing beside a call that works for microseconds. Where calls are so
// short that recording would slow the program down, a thread records some calls and then pauses
// until their cost is a small share of the time; the trace shows each pause and how many calls it
// left out, and the table counts them like the calls recorded before it. The trace keeps the first
// events up to the limit. The chunks of a call on other threads belong to the call.
#pragma once

#include <atomic>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "tensor/base/dims.h"
#include "tensor/base/dtype.h"

namespace athanor {

// Events that the trace keeps, and the share of a thread's time that recording its calls takes at
// most. What is asked before each call that is left out takes up to 1% more.
inline constexpr std::int64_t kProfileEvents = 500'000;
inline constexpr double kProfileCost = 0.005;

// Begins to record, on all threads. What was recorded before is dropped. `max_cost` is in (0, 1];
// with 1 every call is recorded.
void start_profile(std::int64_t max_events = kProfileEvents, double max_cost = kProfileCost);
// Ends recording. The record stays until the next start.
void stop_profile();
bool profile_running();

// What another device measured of its own operations while the record was made.
struct DeviceTimes {
  struct Span {
    std::string op;
    double begin = 0, duration = 0;  // microseconds since start_profile()
  };
  std::string device;
  std::vector<Span> spans;
};

// The record as JSON in Chrome's trace event format; devices are processes of their own.
void write_profile(std::ostream& out, const std::vector<DeviceTimes>& devices = {});
// The operations that took the most time, at most `rows` lines, and their share of all.
std::string profile_table(const std::vector<DeviceTimes>& devices = {}, std::size_t rows = 20);
// Microseconds since start_profile().
double profile_time();

// While one lives, this thread's time counts as `name`: an epoch, a stage. The name is copied.
class ProfileSpan {
 public:
  explicit ProfileSpan(const char* name);
  ~ProfileSpan();
  ProfileSpan(const ProfileSpan&) = delete;
  ProfileSpan& operator=(const ProfileSpan&) = delete;

 private:
  std::int64_t start_ = -1;  // nanoseconds; -1: not recording
  std::string name_;
};

namespace detail {

// The run that records, as start_profile() counts them; 0: none.
extern std::atomic<std::uint64_t> profile_run;
// The run in which this thread pauses, and the calls it leaves out before it looks at the clock.
extern thread_local constinit std::uint64_t paused_run;
extern thread_local constinit int calls_to_leave_out;
// Whether the pause is over; if not, it leaves out some more calls.
bool pause_ended();

// Whether the next kernel call is to be recorded.
inline bool records_call() {
  const std::uint64_t run = profile_run.load(std::memory_order_relaxed);
  if (run == 0) return false;
  if (run != paused_run) return true;
  if (calls_to_leave_out == 0) return pause_ended();
  --calls_to_leave_out;
  return false;
}

// The library or instruction set that computed the call that runs now; kernels that have a choice
// say so. A string that lives forever.
extern thread_local constinit const char* kernel_path;
inline void note_path(const char* path) { kernel_path = path; }

struct KernelEvent {
  const char* op;
  const char* path;
  std::int64_t start = 0, duration = 0;  // nanoseconds
  std::int64_t bytes = 0;                // read and written, each once
  Shape shape;                           // of the largest operand
  DType dtype = DType::f32;
};
std::int64_t profile_now();
void add_kernel_event(const KernelEvent& event);

}  // namespace detail
}  // namespace athanor
