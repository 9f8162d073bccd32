// Scratch memory of kernels.
#pragma once

#include <cstddef>

namespace athanor::cpu {

// Two blocks a thread: one that a kernel shares with its tasks, and one of a task, so that the
// thread that hands out tasks can run some itself.
enum class Scratch { task, shared };

// This thread's scratch memory of at least `bytes`, 64-byte aligned, valid until the thread's next
// call for the same block. It only grows, so that a training step allocates none. Throws
// Error(out_of_resources).
void* thread_scratch(std::size_t bytes, Scratch block = Scratch::task);

}  // namespace athanor::cpu
