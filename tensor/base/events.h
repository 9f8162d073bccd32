// Events: what the library has to tell without printing: a fallback taken, a batch skipped.
//
// One settable sink receives them; the command prints and logs them. Without a sink they are
// dropped.
#pragma once

#include <functional>
#include <string>

namespace athanor {

struct Event {
  std::string code;     // stable, for example "backend.reference"
  std::string message;  // one sentence for a person
};

using EventSink = std::function<void(const Event&)>;

// Replaces the sink and returns the previous one. Thread-safe.
EventSink set_event_sink(EventSink sink);

// Sends an event to the sink. Thread-safe; the sink runs under a lock and must not emit.
void emit_event(std::string code, std::string message);

}  // namespace athanor
