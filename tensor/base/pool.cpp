#include "tensor/base/pool.h"

#include <new>

namespace athanor::detail {
namespace {

struct Piece {
  Piece* next;
};

constexpr std::size_t kStep = 64;  // sizes are rounded up to a cache line
constexpr std::size_t kLargest = 1024;
constexpr std::size_t kBytesKept = std::size_t{512} << 10;

struct PieceList {
  Piece* first;
  std::size_t bytes;
};

// Trivial, so that reaching it needs no check whether it was constructed.
constinit thread_local PieceList piece_lists[kLargest / kStep] = {};
// Set when the thread ends: pieces freed later (by other objects of the thread) are not kept.
constinit thread_local bool closed = false;

struct PoolAtThreadEnd {
  ~PoolAtThreadEnd() {
    closed = true;
    empty_pool();
  }
};

void register_thread() { thread_local PoolAtThreadEnd at_end; }

// A sanitizer sees a use after free only if the memory really is freed.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kKeep = false;
#else
constexpr bool kKeep = true;
#endif

constexpr std::size_t rounded(std::size_t bytes) { return (bytes + kStep - 1) / kStep * kStep; }

}  // namespace

void* pool_allocate(std::size_t bytes) {
  if (bytes > kLargest || bytes == 0) return ::operator new(bytes);
  PieceList& list = piece_lists[(bytes - 1) / kStep];
  if (Piece* piece = list.first) {
    list.first = piece->next;
    list.bytes -= rounded(bytes);
    return piece;
  }
  return ::operator new(rounded(bytes));
}

void pool_free(void* piece, std::size_t bytes) noexcept {
  if (!piece) return;
  if (bytes > kLargest || bytes == 0 || !kKeep || closed) return ::operator delete(piece);
  PieceList& list = piece_lists[(bytes - 1) / kStep];
  if (list.bytes + rounded(bytes) > kBytesKept) return ::operator delete(piece);
  if (!list.first) register_thread();
  list.first = ::new (piece) Piece{list.first};
  list.bytes += rounded(bytes);
}

void empty_pool() noexcept {
  for (PieceList& list : piece_lists) {
    while (Piece* piece = list.first) {
      list.first = piece->next;
      ::operator delete(piece);
    }
    list.bytes = 0;
  }
}

}  // namespace athanor::detail
