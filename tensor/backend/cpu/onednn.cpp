#include "tensor/backend/cpu/onednn.h"

#include <cstdlib>

#include "tensor/backend/cpu/cpu.h"

namespace athanor::cpu {
namespace {

dnnl::engine make_engine() {
  // Refused once a primitive exists; nothing else in the process makes one earlier.
  switch (selected_isa()) {
    case Isa::portable:
      dnnl::set_max_cpu_isa(dnnl::cpu_isa::sse41);
      break;
    case Isa::avx2:
      dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx2);
      break;
    case Isa::avx512:
      break;
  }
  return dnnl::engine(dnnl::engine::kind::cpu, 0);
}

struct FreeBlock {
  void operator()(void* block) const { std::free(block); }
};

}  // namespace

dnnl::engine& onednn_engine() {
  static dnnl::engine engine = make_engine();
  return engine;
}

dnnl::stream& onednn_stream() {
  thread_local dnnl::stream stream(onednn_engine());
  return stream;
}

void* onednn_scratch(std::size_t bytes) {
  thread_local std::unique_ptr<void, FreeBlock> block;
  thread_local std::size_t size = 0;
  if (bytes > size || !block) {
    const std::size_t wanted = (bytes / 64 + 1) * 64;
    block.reset();
    size = 0;
    block.reset(std::aligned_alloc(64, wanted));
    if (!block) {
      raise(ErrorKind::out_of_resources, "[onednn] out of memory: asked for ", wanted,
            " bytes of scratch");
    }
    size = wanted;
  }
  return block.get();
}

}  // namespace athanor::cpu
