// The one place where work is spread over threads.
//
// Work is cut into chunks by its size, never by the number of threads, so that a sum combined chunk
// by chunk has the same bits at every thread count.
#pragma once

#include <cstdint>
#include <type_traits>

namespace athanor {

// Sets the number of threads that kernels use; 0 means all the process may run on.
// Throws when n < 0. Not to be called while a kernel runs.
void set_num_threads(int n);
int num_threads();

namespace detail {
using ChunkFn = void (*)(void* context, std::int64_t chunk);
void run_chunks(std::int64_t chunks, ChunkFn fn, void* context);
using RangeFn = void (*)(void* context, std::int64_t begin, std::int64_t end);
void run_ranges(std::int64_t n, std::int64_t grain, RangeFn fn, void* context);
}  // namespace detail

// Calls body(chunk_index) for chunk_index in [0, chunks), on several threads when that can help.
// An exception of any chunk is rethrown here (the first one). Nested calls run serially.
template <class F>
void parallel_chunks(std::int64_t chunks, F&& body) {
  auto call = [](void* context, std::int64_t chunk) {
    (*static_cast<std::remove_reference_t<F>*>(context))(chunk);
  };
  detail::run_chunks(chunks, call, const_cast<void*>(static_cast<const void*>(&body)));
}

// Calls body(begin, end) over consecutive pieces of [0, n), each of `grain` elements but the last.
// The body is called in one place, through a pointer: a kernel's loops are compiled once.
template <class F>
void parallel_for(std::int64_t n, std::int64_t grain, F&& body) {
  auto call = [](void* context, std::int64_t begin, std::int64_t end) {
    (*static_cast<std::remove_reference_t<F>*>(context))(begin, end);
  };
  detail::run_ranges(n, grain, call, const_cast<void*>(static_cast<const void*>(&body)));
}

}  // namespace athanor
