#include "tensor/backend/cpu/scratch.h"

#include <cstdlib>
#include <memory>

#include "tensor/base/error.h"

namespace athanor::cpu {
namespace {

struct FreeBlock {
  void operator()(void* block) const { std::free(block); }
};

}  // namespace

void* thread_scratch(std::size_t bytes, Scratch which) {
  thread_local std::unique_ptr<void, FreeBlock> blocks[2];
  thread_local std::size_t sizes[2] = {};
  auto& block = blocks[static_cast<int>(which)];
  std::size_t& size = sizes[static_cast<int>(which)];
  if (bytes > size || !block) {
    const std::size_t wanted = (bytes / 64 + 1) * 64;
    block.reset();
    size = 0;
    block.reset(std::aligned_alloc(64, wanted));
    if (!block) {
      raise(ErrorKind::out_of_resources, "[scratch] out of memory: asked for ", wanted,
            " bytes of scratch");
    }
    size = wanted;
  }
  return block.get();
}

}  // namespace athanor::cpu
