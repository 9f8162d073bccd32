// Matrix products by oneDNN: on request (ATHANOR_GEMM=onednn), and for bf16 where the CPU has
// instructions for it.
#include <array>

#include "tensor/backend/cpu/bf16_time.h"
#include "tensor/backend/cpu/matmul.h"
#include "tensor/backend/cpu/onednn.h"
#include "tensor/backend/cpu/scratch.h"

namespace athanor::cpu {
namespace {

using dnnl::memory;

// Threads, dtype, bias, rank; then sizes and strides of x, y and z.
using MatmulKey = std::array<std::int64_t, 4 + 6 * kMaxRank>;

struct MatmulPrimitive {
  dnnl::matmul run;
  memory::desc x, y, z, bias;
  std::size_t scratch = 0;
};

MatmulKey key_of(const MatmulArgs& a) {
  MatmulKey key{num_threads(), static_cast<std::int64_t>(a.x.dtype), a.bias.data ? 1 : 0, a.x.rank};
  std::size_t next = 4;
  for (const Operand* t : {&a.x, &a.y, &a.z}) {
    for (int i = 0; i < t->rank; ++i) {
      key[next++] = t->sizes[i];
      key[next++] = t->strides[i];
    }
  }
  return key;
}

// A repeated axis (stride 0) is one of size 1 that oneDNN broadcasts.
memory::desc desc_of(const Operand& t) {
  memory::dims sizes, strides;
  for (int i = 0; i < t.rank; ++i) {
    const bool repeated = t.strides[i] == 0;
    sizes.push_back(repeated ? 1 : t.sizes[i]);
    strides.push_back(repeated ? 1 : t.strides[i]);
  }
  const auto type = t.dtype == DType::bf16 ? memory::data_type::bf16 : memory::data_type::f32;
  return memory::desc(sizes, type, strides);
}

MatmulPrimitive make_matmul(const MatmulArgs& a) {
  MatmulPrimitive m;
  m.x = desc_of(a.x);
  m.y = desc_of(a.y);
  m.z = desc_of(a.z);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (a.bias.data) {
    memory::dims sizes(static_cast<std::size_t>(a.z.rank), 1), strides = sizes;
    sizes.back() = a.z.sizes[a.z.rank - 1];
    for (int i = 0; i + 1 < a.z.rank; ++i) strides[static_cast<std::size_t>(i)] = sizes.back();
    m.bias = memory::desc(sizes, m.z.data_type(), strides);
  }
  const dnnl::matmul::desc desc =
      a.bias.data ? dnnl::matmul::desc(m.x, m.y, m.bias, m.z) : dnnl::matmul::desc(m.x, m.y, m.z);
  const dnnl::matmul::primitive_desc primitive(desc, attributes, onednn_engine());
  m.scratch = primitive.scratchpad_desc().get_size();
  m.run = dnnl::matmul(primitive);
  return m;
}

}  // namespace

bool onednn_has_bf16() {
  static const bool native = [] {
    onednn_engine();  // applies ATHANOR_ISA
    constexpr int wanted = static_cast<int>(dnnl::cpu_isa::avx512_core_bf16);
    return (static_cast<int>(dnnl::get_effective_cpu_isa()) & wanted) == wanted;
  }();
  return native;
}

bool bf16_products_pay() {
  static const bool pay = [] {
    onednn_engine();  // applies ATHANOR_ISA
    constexpr int amx = static_cast<int>(dnnl::cpu_isa::avx512_core_amx);
    if ((static_cast<int>(dnnl::get_effective_cpu_isa()) & amx) == amx) return true;
    // One bf16 instruction does what two of f32 do.
    return bf16_instruction_time() < 1.5;
  }();
  return pay;
}

void onednn_matmul(const MatmulArgs& a) {
  with_onednn("matmul", [&] {
    static LruCache<MatmulKey, MatmulPrimitive, 256> cache;
    const auto m = cache.get(key_of(a), [&] { return make_matmul(a); });
    const auto on = [](const memory::desc& desc, void* data) {
      return memory(desc, onednn_engine(), data);
    };
    const memory pad(memory::desc({static_cast<std::int64_t>(m->scratch)}, memory::data_type::u8,
                                  memory::format_tag::a),
                     onednn_engine(), thread_scratch(m->scratch));
    std::unordered_map<int, memory> arguments{{DNNL_ARG_SRC, on(m->x, a.x.data)},
                                              {DNNL_ARG_WEIGHTS, on(m->y, a.y.data)},
                                              {DNNL_ARG_DST, on(m->z, a.z.data)},
                                              {DNNL_ARG_SCRATCHPAD, pad}};
    if (a.bias.data) arguments.emplace(DNNL_ARG_BIAS, on(m->bias, a.bias.data));
    m->run.execute(onednn_stream(), arguments);
    onednn_stream().wait();
  });
}

}  // namespace athanor::cpu
