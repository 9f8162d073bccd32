// Reference kernels: plain loops, one element at a time, any strides, any dtype.
//
// No intrinsics, no threads, no macros. They say what an operation is; the fast kernels are tested
// against them.
#pragma once

#include <type_traits>

#include "tensor/backend/kernels.h"

namespace athanor::reference {

void copy(const CopyArgs&);
void fill(const FillArgs&);
void unary(const UnaryArgs&);
void unary_grad(const UnaryGradArgs&);
void binary(const BinaryArgs&);
void matmul(const MatmulArgs&);
void adamw(const AdamWArgs&);
void reduce(const ReduceArgs&);
void index_select(const IndexSelectArgs&);
void index_add(const IndexAddArgs&);
void gather(const GatherArgs&);
void scatter_add(const ScatterAddArgs&);
void csr_matmul(const CsrMatmulArgs&);
void csr_dot(const CsrDotArgs&);
void segment_argmax(const SegmentArgmaxArgs&);
void where(const WhereArgs&);
void arg_reduce(const ArgReduceArgs&);
void sort(const SortArgs&);
void cumsum(const CumsumArgs&);
void softmax(const SoftmaxArgs&);
void softmax_grad(const SoftmaxGradArgs&);
void logsumexp(const LogSumExpArgs&);
void cross_entropy(const CrossEntropyArgs&);
void cross_entropy_grad(const CrossEntropyGradArgs&);
void kl_div(const KlDivArgs&);
void kl_div_grad(const KlDivGradArgs&);
void conv2d(const Conv2dArgs&);
void conv2d_backward_input(const Conv2dArgs&);
void conv2d_backward_weight(const Conv2dArgs&);
void max_pool2d(const Pool2dArgs&);
void max_pool2d_backward(const Pool2dArgs&);
void max_pool2d_gather(const Pool2dArgs&);
void avg_pool2d(const Pool2dArgs&);
void avg_pool2d_backward(const Pool2dArgs&);
void batch_norm_statistics(const BatchNormStatisticsArgs&);
void batch_norm(const BatchNormArgs&);
void batch_norm_backward(const BatchNormBackwardArgs&);
void conv2d_batch_norm_backward(const Conv2dBatchNormBackwardArgs&);
void row_norm(const RowNormArgs&);
void row_norm_backward(const RowNormBackwardArgs&);
void quantize(const QuantizeArgs&);
void dequantize(const DequantizeArgs&);
void quantized_conv2d(const QuantizedConv2dArgs&);
void quantized_add(const QuantizedAddArgs&);
void quantized_avg_pool(const QuantizedAvgPoolArgs&);
void attention(const AttentionArgs&);
void attention_backward(const AttentionBackwardArgs&);

// The type in which C is added and multiplied: unsigned for integers, which wrap around
// (docs/dtypes.md) where signed ones have no defined result.
template <class C>
struct ArithmeticType {
  using type = C;
};
template <class C>
requires(std::is_integral_v<C> && !std::is_same_v<C, bool>) struct ArithmeticType<C> {
  using type = std::uint64_t;
};
template <class C>
using arithmetic_t = typename ArithmeticType<C>::type;

// Walks the indices of `sizes` in row-major order.
class Index {
 public:
  Index(const std::int64_t* sizes, int rank) : sizes_(sizes), rank_(rank) {}
  // Element offset of the current index for the given strides.
  std::int64_t offset(const std::int64_t* strides) const {
    std::int64_t at = 0;
    for (int i = 0; i < rank_; ++i) at += index_[i] * strides[i];
    return at;
  }
  std::int64_t operator[](int axis) const { return index_[axis]; }
  void next() {
    for (int i = rank_ - 1; i >= 0; --i) {
      if (++index_[i] < sizes_[i]) return;
      index_[i] = 0;
    }
  }

 private:
  const std::int64_t* sizes_;
  int rank_;
  std::int64_t index_[kMaxRank] = {};
};

}  // namespace athanor::reference
