// The record of the profile as a trace and as a table.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string_view>

#include "tensor/base/error.h"
#include "tensor/base/profile_record.h"

namespace athanor {
namespace {

using namespace detail;

// A trace as text: complete events ("ph": "X"), one a line; times are microseconds since the start.
class TraceText {
 public:
  explicit TraceText(std::ostream& out) : out_(out) {}
  ~TraceText() { flush(); }

  TraceText& operator<<(std::string_view text) {
    text_ += text;
    return *this;
  }
  TraceText& operator<<(std::int64_t value) {
    char digits[24];
    text_.append(digits, std::to_chars(digits, std::end(digits), value).ptr);
    return *this;
  }
  void quote(std::string_view text) {
    text_ += '"';
    for (char c : text) {
      if (c == '"' || c == '\\') text_ += '\\';
      if (static_cast<unsigned char>(c) < 0x20) {
        char code[8];
        std::snprintf(code, sizeof(code), "\\u%04x", c);
        text_ += code;
      } else {
        text_ += c;
      }
    }
    text_ += '"';
  }
  // What all events have; `start` and `duration` in nanoseconds. The caller adds "}".
  void begin_event(std::string_view name, std::string_view category, std::int64_t process,
                   std::int64_t thread, std::int64_t start, std::int64_t duration) {
    if (text_.size() > (1 << 16)) flush();
    *this << ",\n{\"ph\":\"X\",\"name\":";
    quote(name);
    *this << ",\"cat\":\"" << category << "\",\"pid\":" << process << ",\"tid\":" << thread
          << ",\"ts\":";
    microseconds(start);
    *this << ",\"dur\":";
    microseconds(duration);
  }
  void name_process(std::int64_t process, std::string_view name) {
    *this << "{\"ph\":\"M\",\"pid\":" << process
          << ",\"name\":\"process_name\",\"args\":{\"name\":";
    quote(name);
    *this << "}}";
  }

 private:
  void microseconds(std::int64_t nanoseconds) {
    if (nanoseconds < 0) text_ += '-';
    const std::int64_t n = std::abs(nanoseconds);
    const auto digit = [](std::int64_t d) { return static_cast<char>('0' + d % 10); };
    *this << n / 1000;
    text_ += {'.', digit(n / 100), digit(n / 10), digit(n)};
  }
  void flush() {
    out_ << text_;
    text_.clear();
  }

  std::ostream& out_;
  std::string text_;
};

void add_shape(TraceText& trace, const Shape& shape) {
  trace << "[";
  for (int i = 0; i < shape.size(); ++i) (i ? trace << ", " : trace) << shape[i];
  trace << "]";
}

std::int64_t nanoseconds(double microseconds) { return std::llround(microseconds * 1e3); }

}  // namespace

void write_profile(std::ostream& out, const std::vector<DeviceTimes>& devices) {
  const std::int64_t origin = recorder().start;
  TraceText trace(out);
  trace << "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n";
  trace.name_process(1, "athanor");
  for_each_record([&](const ThreadRecord& record) {
    const auto begin = [&](std::string_view name, std::string_view category, const auto& e) {
      trace.begin_event(name, category, 1, record.number, e.start - origin, e.duration);
    };
    for (const SpanEvent& e : record.spans) {
      begin(e.name, "span", e);
      trace << "}";
    }
    for (const KernelEvent& e : record.kernels) {
      begin(e.op, "kernel", e);
      trace << ",\"args\":{\"shape\":\"";
      add_shape(trace, e.shape);
      trace << "\",\"dtype\":\"" << name_of(e.dtype) << "\",\"path\":\"" << e.path
            << "\",\"bytes\":" << e.bytes << "}}";
    }
    for (const PauseEvent& e : record.pauses) {
      begin("not recorded", "pause", e);
      trace << ",\"args\":{\"calls\":" << e.calls << "}}";
    }
  });
  std::int64_t process = 2;
  for (const DeviceTimes& device : devices) {
    trace << ",\n";
    trace.name_process(process, device.device);
    for (const DeviceTimes::Span& e : device.spans) {
      trace.begin_event(e.op, "kernel", process, 0, nanoseconds(e.begin), nanoseconds(e.duration));
      trace << "}";
    }
    ++process;
  }
  trace << "\n],\"lost_events\":" << recorder().lost.load() << "}\n";
}

std::string profile_table(const std::vector<DeviceTimes>& devices, std::size_t rows) {
  std::map<std::string, Sums> by_name;  // times in nanoseconds
  std::int64_t recorded = 0, left_out = 0;
  for_each_record([&](const ThreadRecord& record) {
    for (const OpTotal& t : record.totals) {
      Sums& sum = by_name[str(t.op, " ", t.dtype, " ", t.path)];
      sum.add(t.before, 1);
      sum.add(t.burst, record.weight());
    }
    recorded += record.recorded + record.burst_calls;
    left_out += record.left_out + record.paused.load(std::memory_order_relaxed);
  });
  for (const DeviceTimes& device : devices) {
    for (const DeviceTimes::Span& e : device.spans) {
      by_name[e.op + " " + device.device].add({1, e.duration * 1e3, 0}, 1);
    }
  }
  double all = 0;
  for (const auto& [name, sums] : by_name) all += sums.time;
  std::vector<std::pair<std::string, Sums>> sorted(by_name.begin(), by_name.end());
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
                  std::llround(t.calls), t.time * 1e-6, 100 * t.time / std::max(all, 1.0));
    text += line;
    if (t.bytes > 0) {
      std::snprintf(line, sizeof(line), "%9.2f", t.bytes / std::max(t.time, 1.0));
      text += line;
    }
    text += '\n';
  }
  std::snprintf(line, sizeof(line), "kernels %.2f s of %.2f s", all * 1e-9,
                static_cast<double>(stop - start) * 1e-9);
  text += line;
  if (left_out > 0) {
    text += str("; estimated from ", recorded, " of ", recorded + left_out,
                " calls, as recording all would slow these down");
  }
  const std::int64_t lost = recorder().lost.load();
  if (lost > 0) text += str("; ", lost, " events are not in the trace");
  return text + "\n";
}

}  // namespace athanor
