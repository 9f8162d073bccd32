// The blocks of memory that tensors hold and the operations that made them: for memory statistics
// and for the message when memory runs out.
//
// A block is allocated before its kernel is launched, so it is noted as new on its thread and gets
// the name of the operation that launches next. Noting and forgetting take no lock; who lists the
// live blocks may miss those that change meanwhile.
#pragma once

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

struct BlockNote;

// Notes a block; forget_block() takes the note back. Thread-safe, as all here.
BlockNote* note_block(std::int64_t bytes, const Shape& shape, DType dtype);
void forget_block(BlockNote* note) noexcept;
// Blocks that this thread noted since the last call were made by `op`.
void label_new_blocks(const char* op) noexcept;
std::vector<LiveTensor> live_blocks();

}  // namespace detail
}  // namespace athanor
