// The C functions of oneDNN that its C++ header calls, of a library that is loaded with the first
// of these calls (tensor/base/shared_library.h): a start that needs no oneDNN saves the
// milliseconds of two thousand symbols and of the library's own look at the CPU.
#include <oneapi/dnnl/dnnl.h>

#include "tensor/base/shared_library.h"

namespace {

const athanor::SharedLibrary& onednn() {
  static const athanor::SharedLibrary loaded{ATHANOR_ONEDNN, "oneDNN's kernels"};
  return loaded;
}

}  // namespace

#define ATHANOR_FORWARD(result, name, parameters, arguments)             \
  result name parameters {                                               \
    static const auto function = onednn().get<decltype(&::name)>(#name); \
    return function arguments;                                           \
  }

extern "C" {

ATHANOR_FORWARD(dnnl_status_t, dnnl_dilated_convolution_backward_data_desc_init,
                (dnnl_convolution_desc_t * conv_desc, dnnl_alg_kind_t alg_kind,
                 const dnnl_memory_desc_t* diff_src_desc, const dnnl_memory_desc_t* weights_desc,
                 const dnnl_memory_desc_t* diff_dst_desc, const dnnl_dims_t strides,
                 const dnnl_dims_t dilates, const dnnl_dims_t padding_l,
                 const dnnl_dims_t padding_r),
                (conv_desc, alg_kind, diff_src_desc, weights_desc, diff_dst_desc, strides, dilates,
                 padding_l, padding_r))
ATHANOR_FORWARD(dnnl_status_t, dnnl_dilated_convolution_backward_weights_desc_init,
                (dnnl_convolution_desc_t * conv_desc, dnnl_alg_kind_t alg_kind,
                 const dnnl_memory_desc_t* src_desc, const dnnl_memory_desc_t* diff_weights_desc,
                 const dnnl_memory_desc_t* diff_bias_desc, const dnnl_memory_desc_t* diff_dst_desc,
                 const dnnl_dims_t strides, const dnnl_dims_t dilates, const dnnl_dims_t padding_l,
                 const dnnl_dims_t padding_r),
                (conv_desc, alg_kind, src_desc, diff_weights_desc, diff_bias_desc, diff_dst_desc,
                 strides, dilates, padding_l, padding_r))
ATHANOR_FORWARD(dnnl_status_t, dnnl_dilated_convolution_forward_desc_init,
                (dnnl_convolution_desc_t * conv_desc, dnnl_prop_kind_t prop_kind,
                 dnnl_alg_kind_t alg_kind, const dnnl_memory_desc_t* src_desc,
                 const dnnl_memory_desc_t* weights_desc, const dnnl_memory_desc_t* bias_desc,
                 const dnnl_memory_desc_t* dst_desc, const dnnl_dims_t strides,
                 const dnnl_dims_t dilates, const dnnl_dims_t padding_l,
                 const dnnl_dims_t padding_r),
                (conv_desc, prop_kind, alg_kind, src_desc, weights_desc, bias_desc, dst_desc,
                 strides, dilates, padding_l, padding_r))
ATHANOR_FORWARD(dnnl_status_t, dnnl_engine_create,
                (dnnl_engine_t * engine, dnnl_engine_kind_t kind, size_t index),
                (engine, kind, index))
ATHANOR_FORWARD(dnnl_status_t, dnnl_engine_destroy, (dnnl_engine_t engine), (engine))
ATHANOR_FORWARD(dnnl_cpu_isa_t, dnnl_get_effective_cpu_isa, (), ())
ATHANOR_FORWARD(dnnl_status_t, dnnl_matmul_desc_init,
                (dnnl_matmul_desc_t * matmul_desc, const dnnl_memory_desc_t* src_desc,
                 const dnnl_memory_desc_t* weights_desc, const dnnl_memory_desc_t* bias_desc,
                 const dnnl_memory_desc_t* dst_desc),
                (matmul_desc, src_desc, weights_desc, bias_desc, dst_desc))
ATHANOR_FORWARD(dnnl_status_t, dnnl_memory_create,
                (dnnl_memory_t * memory, const dnnl_memory_desc_t* memory_desc,
                 dnnl_engine_t engine, void* handle),
                (memory, memory_desc, engine, handle))
ATHANOR_FORWARD(int, dnnl_memory_desc_equal,
                (const dnnl_memory_desc_t* lhs, const dnnl_memory_desc_t* rhs), (lhs, rhs))
ATHANOR_FORWARD(size_t, dnnl_memory_desc_get_size, (const dnnl_memory_desc_t* memory_desc),
                (memory_desc))
ATHANOR_FORWARD(dnnl_status_t, dnnl_memory_desc_init_by_strides,
                (dnnl_memory_desc_t * memory_desc, int ndims, const dnnl_dims_t dims,
                 dnnl_data_type_t data_type, const dnnl_dims_t strides),
                (memory_desc, ndims, dims, data_type, strides))
ATHANOR_FORWARD(dnnl_status_t, dnnl_memory_desc_init_by_tag,
                (dnnl_memory_desc_t * memory_desc, int ndims, const dnnl_dims_t dims,
                 dnnl_data_type_t data_type, dnnl_format_tag_t tag),
                (memory_desc, ndims, dims, data_type, tag))
ATHANOR_FORWARD(dnnl_status_t, dnnl_memory_destroy, (dnnl_memory_t memory), (memory))
ATHANOR_FORWARD(dnnl_status_t, dnnl_primitive_attr_create, (dnnl_primitive_attr_t * attr), (attr))
ATHANOR_FORWARD(dnnl_status_t, dnnl_primitive_attr_destroy, (dnnl_primitive_attr_t attr), (attr))
ATHANOR_FORWARD(dnnl_status_t, dnnl_primitive_attr_set_scratchpad_mode,
                (dnnl_primitive_attr_t attr, dnnl_scratchpad_mode_t mode), (attr, mode))
ATHANOR_FORWARD(dnnl_status_t, dnnl_primitive_create,
                (dnnl_primitive_t * primitive, const_dnnl_primitive_desc_t primitive_desc),
                (primitive, primitive_desc))
ATHANOR_FORWARD(dnnl_status_t, dnnl_primitive_desc_destroy, (dnnl_primitive_desc_t primitive_desc),
                (primitive_desc))
ATHANOR_FORWARD(dnnl_status_t, dnnl_primitive_desc_iterator_create,
                (dnnl_primitive_desc_iterator_t * iterator, const_dnnl_op_desc_t op_desc,
                 const_dnnl_primitive_attr_t attr, dnnl_engine_t engine,
                 const_dnnl_primitive_desc_t hint_forward_primitive_desc),
                (iterator, op_desc, attr, engine, hint_forward_primitive_desc))
ATHANOR_FORWARD(dnnl_status_t, dnnl_primitive_desc_iterator_destroy,
                (dnnl_primitive_desc_iterator_t iterator), (iterator))
ATHANOR_FORWARD(dnnl_primitive_desc_t, dnnl_primitive_desc_iterator_fetch,
                (const_dnnl_primitive_desc_iterator_t iterator), (iterator))
ATHANOR_FORWARD(const dnnl_memory_desc_t*, dnnl_primitive_desc_query_md,
                (const_dnnl_primitive_desc_t primitive_desc, dnnl_query_t what, int index),
                (primitive_desc, what, index))
ATHANOR_FORWARD(dnnl_status_t, dnnl_primitive_destroy, (dnnl_primitive_t primitive), (primitive))
ATHANOR_FORWARD(dnnl_status_t, dnnl_primitive_execute,
                (const_dnnl_primitive_t primitive, dnnl_stream_t stream, int nargs,
                 const dnnl_exec_arg_t* args),
                (primitive, stream, nargs, args))
ATHANOR_FORWARD(dnnl_status_t, dnnl_reorder_primitive_desc_create,
                (dnnl_primitive_desc_t * reorder_primitive_desc, const dnnl_memory_desc_t* src_desc,
                 dnnl_engine_t src_engine, const dnnl_memory_desc_t* dst_desc,
                 dnnl_engine_t dst_engine, const_dnnl_primitive_attr_t attr),
                (reorder_primitive_desc, src_desc, src_engine, dst_desc, dst_engine, attr))
ATHANOR_FORWARD(dnnl_status_t, dnnl_set_max_cpu_isa, (dnnl_cpu_isa_t isa), (isa))
ATHANOR_FORWARD(dnnl_status_t, dnnl_stream_create,
                (dnnl_stream_t * stream, dnnl_engine_t engine, unsigned flags),
                (stream, engine, flags))
ATHANOR_FORWARD(dnnl_status_t, dnnl_stream_destroy, (dnnl_stream_t stream), (stream))
ATHANOR_FORWARD(dnnl_status_t, dnnl_stream_wait, (dnnl_stream_t stream), (stream))

}  // extern "C"

#undef ATHANOR_FORWARD
