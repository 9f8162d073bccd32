// Where the time goes: a record of each kernel call and of named spans, written as a Chrome trace
// (chrome://tracing, ui.perfetto.dev) and as a table.
//
// Off, it costs one load a kernel call. On, an event takes two readings of the clock and some 100
// bytes of memory; the table counts all events, the trace keeps the first ones up to the limit. The
// chunks of a call on other threads belong to the call.
#pragma once

#include <atomic>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "tensor/base/dims.h"
#include "tensor/base/dtype.h"

namespace athanor {

// Begins to record, on all threads. What was recorded before is dropped.
void start_profile(std::int64_t max_events = 500'000);
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

extern std::atomic<bool> profile_on;
inline bool profiling() { return profile_on.load(std::memory_order_relaxed); }

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
