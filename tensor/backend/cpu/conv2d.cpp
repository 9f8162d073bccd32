// The choice between the ways to convolve: the direct kernel (conv2d_direct.cpp); oneDNN for what
// it leaves, namely groups, dilation and few channels; and columns (conv2d_columns.cpp) where there
// is no oneDNN, and in f64, which it lacks.
#include <cstddef>
#include <memory>

#include "tensor/backend/conv2d_batch_norm.h"
#include "tensor/backend/cpu/conv2d_columns.h"
#include "tensor/backend/cpu/conv2d_direct.h"
#include "tensor/backend/cpu/conv2d_library.h"
#include "tensor/backend/cpu/matmul.h"
#include "tensor/backend/kernels.h"

namespace athanor::cpu {
namespace {

using Run = void(const Conv2dArgs&);

void run_rest(const Conv2dArgs& a, Run* library, Run* columns) {
  (a.x.dtype == DType::f32 && has_math_libraries() ? library : columns)(a);
}

void conv2d(const Conv2dArgs& a) {
  if (direct_forward(a)) return own_conv2d(a);
  run_rest(a, library_conv2d, columns_conv2d);
  if (a.relu) cpu_kernels().unary.run({UnaryOp::relu, 0, 0, a.y, a.y});
}
void conv2d_backward_input(const Conv2dArgs& a) {
  if (direct_backward_input(a)) return own_conv2d_backward_input(a);
  run_rest(a, library_conv2d_backward_input, columns_conv2d_backward_input);
}
void conv2d_backward_weight(const Conv2dArgs& a) {
  if (direct_backward_weight(a)) return own_conv2d_backward_weight(a);
  run_rest(a, library_conv2d_backward_weight, columns_conv2d_backward_weight);
}

void conv2d_batch_norm_backward(const Conv2dBatchNormBackwardArgs& a) {
  if (direct_backward(a)) return own_conv2d_batch_norm_backward(a);
  const auto bytes = static_cast<std::size_t>(a.norm.x.numel() * size_of(a.norm.x.dtype));
  const std::unique_ptr<std::byte[]> dz(new std::byte[bytes]);
  backward_apart(a, dz.get(), cpu_kernels().batch_norm_backward.run, conv2d_backward_input,
                 conv2d_backward_weight);
}

}  // namespace

void (*own_conv2d)(const Conv2dArgs&) = nullptr;
void (*own_conv2d_backward_input)(const Conv2dArgs&) = nullptr;
void (*own_conv2d_backward_weight)(const Conv2dArgs&) = nullptr;
void (*own_conv2d_batch_norm_backward)(const Conv2dBatchNormBackwardArgs&) = nullptr;

void add_conv2d(Kernels& table) {
  own_conv2d = table.conv2d.run;
  own_conv2d_backward_input = table.conv2d_backward_input.run;
  own_conv2d_backward_weight = table.conv2d_backward_weight.run;
  own_conv2d_batch_norm_backward = table.conv2d_batch_norm_backward.run;
  table.conv2d = {conv2d, kFloatDTypes};
  table.conv2d_backward_input = {conv2d_backward_input, kFloatDTypes};
  table.conv2d_backward_weight = {conv2d_backward_weight, kFloatDTypes};
  table.conv2d_batch_norm_backward = {conv2d_batch_norm_backward, kFloatDTypes};
}

}  // namespace athanor::cpu
