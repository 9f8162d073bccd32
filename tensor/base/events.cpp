#include "tensor/base/events.h"

#include <mutex>
#include <utility>

namespace athanor {
namespace {

struct SinkState {
  std::mutex mutex;
  EventSink sink;
};

SinkState& state() {
  static SinkState s;
  return s;
}

}  // namespace

EventSink set_event_sink(EventSink sink) {
  SinkState& s = state();
  std::lock_guard lock(s.mutex);
  return std::exchange(s.sink, std::move(sink));
}

void emit_event(std::string code, std::string message) {
  SinkState& s = state();
  std::lock_guard lock(s.mutex);
  if (s.sink) s.sink(Event{std::move(code), std::move(message)});
}

}  // namespace athanor
