// Memory of small objects that come and go with every operation: nodes of the tape, states of
// variables, storages.
//
// Each thread keeps freed pieces in lists by size and hands them out again without a lock and
// without the system's allocator, so that a training step in steady state allocates nothing there.
// A list holds at most 512 KiB; what is freed beyond that goes to the system. A piece may be freed
// on another thread than the one that asked for it.
#pragma once

#include <cstddef>

namespace athanor::detail {

// At least `bytes` bytes, aligned for any scalar type. Throws std::bad_alloc.
void* pool_allocate(std::size_t bytes);
// Takes back what pool_allocate(bytes) returned.
void pool_free(void* piece, std::size_t bytes) noexcept;
// Gives this thread's free pieces to the system.
void empty_pool() noexcept;

}  // namespace athanor::detail
