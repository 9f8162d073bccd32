#include "tensor/base/deterministic.h"

#include <atomic>

namespace athanor {
namespace {

std::atomic<bool> mode{false};

}  // namespace

void set_deterministic(bool on) { mode.store(on, std::memory_order_relaxed); }
bool deterministic() { return mode.load(std::memory_order_relaxed); }

}  // namespace athanor
