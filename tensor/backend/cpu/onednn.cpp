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

}  // namespace

dnnl::engine& onednn_engine() {
  static dnnl::engine engine = make_engine();
  return engine;
}

dnnl::stream& onednn_stream() {
  thread_local dnnl::stream stream(onednn_engine());
  return stream;
}

}  // namespace athanor::cpu
