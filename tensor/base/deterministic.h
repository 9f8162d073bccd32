// Deterministic mode: the same bits at every number of threads.
#pragma once

namespace athanor {

// In deterministic mode every operation gives the same bits at each number of threads, on one
// machine and instruction set. Most do so anyway; the others (convolutions through oneDNN) then run
// as one-thread pieces cut by shape, whose results are combined in a fixed order. For the whole
// process; not to be changed while a kernel runs.
void set_deterministic(bool on);
bool deterministic();

}  // namespace athanor
