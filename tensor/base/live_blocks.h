// The blocks of memory that tensors hold and the operations that made them: for memory statistics
// and for the message when memory runs out.
//
// A block is allocated before its kernel is launched, so it is noted as new on its thread and gets
// the name of the operation that launches next.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/base/dims.h"
#include "tensor/base/dtype.h"

namespace athanor {

struct LiveTensor {
  std::string op;  // that made it; "empty" when none has written it yet
  Shape shape;     // of the allocation; views may have others
  DType dtype = DType::f32;
  std::int64_t bytes = 0;
};

namespace detail {

// Notes a block and returns its number, which forget_block() takes. Thread-safe, as all here.
std::uint32_t note_block(std::int64_t bytes, const Shape& shape, DType dtype);
void forget_block(std::uint32_t number) noexcept;
// Blocks that this thread noted since the last call were made by `op`.
void label_new_blocks(const char* op);
std::vector<LiveTensor> live_blocks();

}  // namespace detail
}  // namespace athanor
