#include "tensor/base/profile.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "tensor/base/error.h"

namespace athanor {
namespace detail {

std::atomic<bool> profile_on{false};
constinit thread_local const char* kernel_path = nullptr;

std::int64_t profile_now() {
  using Clock = std::chrono::steady_clock;
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch())
      .count();
}

}  // namespace detail

namespace {

using detail::KernelEvent;

struct SpanEvent {
  std::string name;
  std::int64_t start, duration;
};

struct OpTotal {
  const char* op;
  const char* path;
  DType dtype;
  std::int64_t calls = 0, time = 0, bytes = 0;
};

// What one thread recorded. Its mutex is contended only while the record is read.
struct ThreadRecord {
  std::mutex mutex;
  std::uint64_t run = 0;  // of start_profile()
  int number = 0;
  std::vector<KernelEvent> kernels;
  std::vector<SpanEvent> spans;
  std::vector<OpTotal> totals;

  // The sums of events of this kind. Few kinds occur, and names are literals: pointers tell.
  OpTotal& total_of(const KernelEvent& e) {
    for (OpTotal& t : totals) {
      if (t.op == e.op && t.path == e.path && t.dtype == e.dtype) return t;
    }
    totals.push_back({e.op, e.path, e.dtype});
    return totals.back();
  }
};

struct Recorder {
  std::mutex mutex;
  std::vector<std::shared_ptr<ThreadRecord>> threads;
  std::atomic<std::uint64_t> run{0};
  std::atomic<std::int64_t> places{0};  // events that may still be kept
  std::atomic<std::int64_t> lost{0};
  std::int64_t start = 0, stop = 0;
};

// Never destroyed: threads may end after the objects of static storage duration.
Recorder& recorder() {
  static Recorder* instance = new Recorder;
  return *instance;
}

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
    record.kernels.clear();
    record.spans.clear();
    record.totals.clear();
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

std::string json_string(const std::string& text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      char code[8];
      std::snprintf(code, sizeof(code), "\\u%04x", c);
      result += code;
    } else {
      result += c;
    }
  }
  return result + "\"";
}

// The common fields of a complete event ("ph": "X"); times are microseconds since the start.
std::string event_head(const std::string& name, const char* category, std::size_t process,
                       int thread, double start, double duration) {
  char numbers[160];
  std::snprintf(numbers, sizeof(numbers), "\"pid\":%zu,\"tid\":%d,\"ts\":%.3f,\"dur\":%.3f",
                process, thread, start, duration);
  return "{\"ph\":\"X\",\"name\":" + json_string(name) + ",\"cat\":\"" + category + "\"," + numbers;
}

std::string process_name(std::size_t process, const std::string& name) {
  return str("{\"ph\":\"M\",\"pid\":", process,
             ",\"name\":\"process_name\",\"args\":{\"name\":", json_string(name), "}}");
}

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

}  // namespace

void start_profile(std::int64_t max_events) {
  if (max_events < 1) fail("start_profile", "expected max_events >= 1, got ", max_events);
  Recorder& r = recorder();
  const std::lock_guard lock(r.mutex);
  r.run.fetch_add(1);
  r.places = max_events;
  r.lost = 0;
  r.start = detail::profile_now();
  r.stop = 0;
  detail::profile_on = true;
}

void stop_profile() {
  Recorder& r = recorder();
  const std::lock_guard lock(r.mutex);
  if (detail::profile_on.exchange(false)) r.stop = detail::profile_now();
}

bool profile_running() { return detail::profiling(); }

void write_profile(std::ostream& out, const std::vector<DeviceTimes>& devices) {
  const std::int64_t origin = recorder().start;
  const auto since = [origin](std::int64_t t) { return static_cast<double>(t - origin) * 1e-3; };
  const auto length = [](std::int64_t t) { return static_cast<double>(t) * 1e-3; };
  out << "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n" << process_name(1, "athanor");
  for_each_record([&](const ThreadRecord& record) {
    for (const SpanEvent& e : record.spans) {
      out << ",\n"
          << event_head(e.name, "span", 1, record.number, since(e.start), length(e.duration))
          << '}';
    }
    for (const KernelEvent& e : record.kernels) {
      out << ",\n"
          << event_head(e.op, "kernel", 1, record.number, since(e.start), length(e.duration))
          << ",\"args\":{\"shape\":\"" << e.shape << "\",\"dtype\":\"" << e.dtype
          << "\",\"path\":\"" << e.path << "\",\"bytes\":" << e.bytes << "}}";
    }
  });
  for (std::size_t i = 0; i < devices.size(); ++i) {
    out << ",\n" << process_name(2 + i, devices[i].device);
    for (const DeviceTimes::Span& e : devices[i].spans) {
      out << ",\n" << event_head(e.op, "kernel", 2 + i, 0, e.begin, e.duration) << '}';
    }
  }
  out << "\n],\"lost_events\":" << recorder().lost.load() << "}\n";
}

double profile_time() {
  return static_cast<double>(detail::profile_now() - recorder().start) * 1e-3;
}

std::string profile_table(const std::vector<DeviceTimes>& devices, std::size_t rows) {
  struct Line {
    std::int64_t calls = 0, bytes = 0;
    double time = 0;  // microseconds
  };
  std::map<std::string, Line> by_name;
  double all = 0;
  for_each_record([&](const ThreadRecord& record) {
    for (const OpTotal& t : record.totals) {
      Line& sum = by_name[str(t.op, " ", t.dtype, " ", t.path)];
      const double time = static_cast<double>(t.time) * 1e-3;
      sum.calls += t.calls;
      sum.time += time;
      sum.bytes += t.bytes;
      all += time;
    }
  });
  for (const DeviceTimes& device : devices) {
    for (const DeviceTimes::Span& e : device.spans) {
      Line& sum = by_name[e.op + " " + device.device];
      ++sum.calls;
      sum.time += e.duration;
      all += e.duration;
    }
  }
  std::vector<std::pair<std::string, Line>> sorted(by_name.begin(), by_name.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second.time > b.second.time; });
  std::int64_t stop = 0, start = 0;
  {
    Recorder& r = recorder();
    const std::lock_guard lock(r.mutex);
    start = r.start;
    stop = r.stop ? r.stop : detail::profile_now();
  }
  char line[256];
  std::snprintf(line, sizeof(line), "%-40s %10s %10s %7s %9s\n", "operation", "calls", "ms",
                "share", "GB/s");
  std::string text = line;
  for (std::size_t i = 0; i < std::min(rows, sorted.size()); ++i) {
    const auto& [name, t] = sorted[i];
    std::snprintf(line, sizeof(line), "%-40s %10lld %10.2f %6.1f%% ", name.c_str(),
                  static_cast<long long>(t.calls), t.time * 1e-3,
                  100 * t.time / std::max(all, 1e-3));
    text += line;
    if (t.bytes > 0) {
      std::snprintf(line, sizeof(line), "%9.2f",
                    static_cast<double>(t.bytes) * 1e-3 / std::max(t.time, 1e-3));
      text += line;
    }
    text += '\n';
  }
  std::snprintf(line, sizeof(line), "kernels %.2f s of %.2f s", all * 1e-6,
                static_cast<double>(stop - start) * 1e-9);
  text += line;
  const std::int64_t lost = recorder().lost.load();
  if (lost > 0) text += str("; ", lost, " events are not in the trace");
  return text + "\n";
}

ProfileSpan::ProfileSpan(const char* name) {
  if (!detail::profiling()) return;
  name_ = name;
  start_ = detail::profile_now();
}

ProfileSpan::~ProfileSpan() {
  if (start_ < 0 || !detail::profiling()) return;
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
    if (keep) record.kernels.push_back(event);
    OpTotal& total = record.total_of(event);
    ++total.calls;
    total.time += event.duration;
    total.bytes += event.bytes;
  });
}

}  // namespace detail
}  // namespace athanor
