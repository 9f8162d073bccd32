// The backend table: what a device must provide, one line a kernel.
//
// To add a backend, fill a Kernels object: every entry is a function and the dtypes it supports. An
// empty entry is an operation that the backend does not have. On the CPU such a call goes to the
// reference kernel (plain loops for every dtype); on any other device it is an error that names op,
// dtype and device. Nothing is copied to another device silently.
//
// A kernel receives checked arguments: shapes agree, outputs are allocated, dtypes are in its set.
#pragma once

#include "tensor/backend/args.h"
#include "tensor/backend/attention_args.h"
#include "tensor/backend/conv_args.h"
#include "tensor/backend/norm_args.h"
#include "tensor/backend/profiled_launch.h"
#include "tensor/backend/quantized_args.h"
#include "tensor/backend/random_args.h"
#include "tensor/base/device.h"
#include "tensor/base/dtype.h"
#include "tensor/base/live_blocks.h"

namespace athanor {

template <class Args>
struct Kernel {
  void (*run)(const Args&) = nullptr;
  DTypeSet dtypes;  // of the operand that decides: see the Args struct
};

struct Kernels {
  Kernel<CopyArgs> copy;  // any strides, converts dtype
  Kernel<FillArgs> fill;
  Kernel<UnaryArgs> unary;  // elementwise, one input
  Kernel<UnaryGradArgs> unary_grad;
  Kernel<BinaryArgs> binary;    // elementwise, two inputs
  Kernel<MatmulArgs> matmul;    // batched matrix product
  Kernel<ReduceArgs> reduce;    // sum, max, min, any, all over axes
  Kernel<SoftmaxArgs> softmax;  // by row, as the next six
  Kernel<SoftmaxGradArgs> softmax_grad;
  Kernel<LogSumExpArgs> logsumexp;
  Kernel<CrossEntropyArgs> cross_entropy;
  Kernel<CrossEntropyGradArgs> cross_entropy_grad;
  Kernel<KlDivArgs> kl_div;
  Kernel<KlDivGradArgs> kl_div_grad;
  Kernel<Conv2dArgs> conv2d;
  Kernel<Conv2dArgs> conv2d_backward_input;
  Kernel<Conv2dArgs> conv2d_backward_weight;
  Kernel<Pool2dArgs> max_pool2d;
  Kernel<Pool2dArgs> max_pool2d_backward;
  Kernel<Pool2dArgs> max_pool2d_gather;
  Kernel<Pool2dArgs> avg_pool2d;
  Kernel<Pool2dArgs> avg_pool2d_backward;
  Kernel<BatchNormStatisticsArgs> batch_norm_statistics;
  Kernel<BatchNormArgs> batch_norm;
  Kernel<BatchNormBackwardArgs> batch_norm_backward;
  Kernel<Conv2dBatchNormBackwardArgs> conv2d_batch_norm_backward;  // of a CPU
  Kernel<RowNormArgs> row_norm;                                    // layer and RMS normalisation
  Kernel<RowNormBackwardArgs> row_norm_backward;
  Kernel<AttentionArgs> attention;
  Kernel<AttentionBackwardArgs> attention_backward;
  Kernel<AdamWArgs> adamw;
  Kernel<IndexSelectArgs> index_select;
  Kernel<IndexAddArgs> index_add;
  Kernel<GatherArgs> gather;
  Kernel<ScatterAddArgs> scatter_add;
  Kernel<CsrMatmulArgs> csr_matmul;  // by row of a sparse matrix, as the next two
  Kernel<CsrDotArgs> csr_dot;
  Kernel<SegmentArgmaxArgs> segment_argmax;
  Kernel<WhereArgs> where;
  Kernel<ArgReduceArgs> arg_reduce;
  Kernel<SortArgs> sort;
  Kernel<CumsumArgs> cumsum;
  Kernel<QuantizeArgs> quantize;
  Kernel<DequantizeArgs> dequantize;
  Kernel<PackQuantizedArgs> pack_quantized;  // of a CPU's fast kernels
  Kernel<QuantizedConv2dArgs> quantized_conv2d;
  Kernel<QuantizedAddArgs> quantized_add;
  Kernel<QuantizedAvgPoolArgs> quantized_avg_pool;
  Kernel<RandomArgs> random;  // of devices; the CPU's numbers come from tensor/random.cpp
};

// Plain, readable loops for every op: the yardstick of the fast kernels.
const Kernels& reference_kernels();
// Fast kernels of the CPU for the instruction set chosen at start (docs/env_vars.md, ATHANOR_ISA).
const Kernels& cpu_kernels();

// While one lives, this thread's CPU calls go to the reference kernels.
class UseReferenceKernels {
 public:
  UseReferenceKernels();
  ~UseReferenceKernels();
  UseReferenceKernels(const UseReferenceKernels&) = delete;
  UseReferenceKernels& operator=(const UseReferenceKernels&) = delete;

 private:
  bool previous_;
};

namespace detail {
bool reference_forced();
// The name of the CPU kernels' instruction set: the path of those that note no other one.
const char* cpu_path();
// The table of a device that is not the CPU; makes the device current for this thread.
const Kernels& device_kernels(const char* op, Device device);
[[noreturn]] void no_kernel(const char* op, DType dtype, Device device);
// The work that a device is given while one lives is `op`'s: for profiles.
class DeviceRange {
 public:
  DeviceRange(const char* op, Device device);
  ~DeviceRange();
  DeviceRange(const DeviceRange&) = delete;
  DeviceRange& operator=(const DeviceRange&) = delete;

 private:
  int index_;
};
}  // namespace detail

// Runs the kernel `entry` of the device's table on `args`.
template <class Args>
void launch(const char* op, Kernel<Args> Kernels::*entry, DType dtype, Device device,
            const Args& args) {
  detail::label_new_blocks(op);
  if (device.type != DeviceType::cpu) {
    const Kernel<Args>& kernel = detail::device_kernels(op, device).*entry;
    if (!kernel.dtypes.contains(dtype)) detail::no_kernel(op, dtype, device);
    const detail::DeviceRange range(op, device);
    return kernel.run(args);
  }
  if (!detail::reference_forced()) {
    const Kernel<Args>& fast = cpu_kernels().*entry;
    if (fast.dtypes.contains(dtype)) {
      if (detail::records_call()) {
        return detail::run_profiled(op, detail::cpu_path(), dtype, fast.run, args);
      }
      return fast.run(args);
    }
  }
  const Kernel<Args>& plain = reference_kernels().*entry;
  if (!plain.dtypes.contains(dtype)) detail::no_kernel(op, dtype, device);
  if (detail::records_call()) return detail::run_profiled(op, "reference", dtype, plain.run, args);
  plain.run(args);
}

}  // namespace athanor
