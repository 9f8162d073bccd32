// Convolutions by cuDNN on channels-last activations. Weights lie row-major in memory and are
// copied to channels-last order first (their gradients back after): small beside the activations,
// and what the tensor cores want. What no deterministic engine serves goes to the own kernels, and
// an event says so.
#include <array>
#include <map>

#include "tensor/backend/cuda/context.h"
#include "tensor/backend/cuda/cuda.h"
#include "tensor/backend/cuda/cudnn_plan.h"
#include "tensor/backend/cuda/fallback.h"
#include "tensor/backend/device.h"
#include "tensor/base/events.h"

namespace athanor::cuda {
namespace {

enum class Pass { forward, backward_input, backward_weight };

constexpr std::int64_t kX = 1, kW = 2, kY = 3;
constexpr std::array<std::int64_t, 3> kIds{kX, kW, kY};
constexpr std::size_t kCacheLimit = 1024;  // plans

std::int64_t alignment_of(const void* p) {
  const auto bits = reinterpret_cast<std::uintptr_t>(p) | 256;
  return static_cast<std::int64_t>(bits & (~bits + 1));
}

DnnTensor tensor_of(std::int64_t id, const Operand& t, const void* data) {
  return {id, {t.sizes[0], t.sizes[1], t.sizes[2], t.sizes[3]}, t.dtype, alignment_of(data)};
}

// Everything a plan depends on.
using Key = std::array<std::int64_t, 26>;

Key key_of(Pass pass, const Conv2dArgs& a, const std::array<DnnTensor, 3>& tensors) {
  Key key{};
  std::size_t at = 0;
  const auto add = [&](std::int64_t value) { key.at(at++) = value; };
  add(current_context().index);
  add(static_cast<std::int64_t>(pass));
  add(static_cast<std::int64_t>(a.x.dtype));
  add(tf32());
  for (Size2 s : {a.stride, a.padding, a.dilation}) {
    add(s.h);
    add(s.w);
  }
  add(a.groups);
  for (const DnnTensor& t : tensors) {
    for (std::int64_t size : t.sizes) add(size);
    add(t.alignment);
  }
  return key;
}

DnnDescriptor describe_convolution(const Conv2dArgs& a) {
  DnnDescriptor d(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  const cudnnDataType_t type =
      a.x.dtype == DType::f64 ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT;  // of the accumulation
  const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
  d.set_int(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, {2});
  d.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
  d.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
  d.set_int(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, {a.padding.h, a.padding.w});
  d.set_int(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, {a.padding.h, a.padding.w});
  d.set_int(CUDNN_ATTR_CONVOLUTION_DILATIONS, {a.dilation.h, a.dilation.w});
  d.set_int(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, {a.stride.h, a.stride.w});
  d.finalize();
  return d;
}

// The attributes of one direction.
struct Names {
  cudnnBackendDescriptorType_t type;
  cudnnBackendAttributeName_t x, w, y, convolution, alpha, beta;
};
Names names_of(Pass pass) {
  switch (pass) {
    case Pass::forward:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
    case Pass::backward_input:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
    default:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
  }
}

std::shared_ptr<const DnnPlan> make_plan(Pass pass, const Conv2dArgs& a,
                                         const std::array<DnnTensor, 3>& tensors) {
  const Names names = names_of(pass);
  const DnnDescriptor x = describe_tensor(tensors[0]), w = describe_tensor(tensors[1]),
                      y = describe_tensor(tensors[2]), convolution = describe_convolution(a);
  DnnDescriptor operation(names.type);
  operation.set_child(names.x, x);
  operation.set_child(names.w, w);
  operation.set_child(names.y, y);
  operation.set_child(names.convolution, convolution);
  const bool wide = a.x.dtype == DType::f64;
  const double one = 1, zero = 0;
  const float one_f = 1, zero_f = 0;
  const auto type = wide ? CUDNN_TYPE_DOUBLE : CUDNN_TYPE_FLOAT;
  operation.set(names.alpha, type, 1, wide ? static_cast<const void*>(&one) : &one_f);
  operation.set(names.beta, type, 1, wide ? static_cast<const void*>(&zero) : &zero_f);
  operation.finalize();
  auto plan = DnnPlan::find(operation, a.x.dtype);
  if (!plan) {
    emit_event("cuda.conv2d_direct",
               str("conv2d: cuDNN has no deterministic engine for dtype ", a.x.dtype, ", x [",
                   a.x.sizes[0], ", ", a.x.sizes[1], ", ", a.x.sizes[2], ", ", a.x.sizes[3],
                   "]; the slower own kernel is used"));
  }
  return plan;
}

// False when there is no plan.
bool run(Pass pass, const Conv2dArgs& a, void* w) {
  const std::array<DnnTensor, 3> tensors{tensor_of(kX, a.x, a.x.data), tensor_of(kW, a.w, w),
                                         tensor_of(kY, a.y, a.y.data)};
  // A plan holds the handle of the thread that made it.
  thread_local std::map<Key, std::shared_ptr<const DnnPlan>> plans;
  if (plans.size() >= kCacheLimit) plans.clear();
  const Key key = key_of(pass, a, tensors);
  auto found = plans.find(key);
  if (found == plans.end()) found = plans.emplace(key, make_plan(pass, a, tensors)).first;
  if (!found->second) return false;
  const std::array<void*, 3> pointers{a.x.data, w, a.y.data};
  found->second->run(pointers, kIds);
  return true;
}

// The weights' view in channels-last order, for copies.
struct ChannelsLast {
  std::int64_t strides[4];
  Operand view;
  ChannelsLast(const Operand& w, void* data) : view(w) {
    const std::int64_t I = w.sizes[1], H = w.sizes[2], W = w.sizes[3];
    strides[0] = H * W * I;
    strides[1] = 1;
    strides[2] = W * I;
    strides[3] = I;
    view.data = data;
    view.strides = strides;
  }
};

// Pointwise weights and those of one channel lie the same way in both orders.
bool same_order(const Operand& w) {
  return w.sizes[1] == 1 || (w.sizes[2] == 1 && w.sizes[3] == 1);
}

bool run_reading_weights(Pass pass, const Conv2dArgs& a) {
  if (same_order(a.w)) return run(pass, a, a.w.data);
  const Workspace memory(static_cast<std::size_t>(a.w.numel() * size_of(a.w.dtype)));
  const ChannelsLast w(a.w, memory.as<void>());
  copy({a.w, w.view});
  return run(pass, a, w.view.data);
}

}  // namespace

void conv2d(const Conv2dArgs& a) {
  if (!run_reading_weights(Pass::forward, a)) {
    conv2d_direct(a);  // with the bias
  } else if (a.b.data) {
    const std::int64_t strides[4] = {0, a.b.strides[0], 0, 0};
    Operand bias = a.y;
    bias.data = a.b.data;
    bias.strides = strides;
    binary({BinaryOp::add, a.y, bias, a.y});
  }
  if (a.relu) unary({UnaryOp::relu, 0, 0, a.y, a.y});
}

void conv2d_backward_input(const Conv2dArgs& a) {
  if (!run_reading_weights(Pass::backward_input, a)) conv2d_direct_backward_input(a);
}

void conv2d_backward_weight(const Conv2dArgs& a) {
  if (same_order(a.w)) {
    if (!run(Pass::backward_weight, a, a.w.data)) return conv2d_direct_backward_weight(a);
  } else {
    const Workspace memory(static_cast<std::size_t>(a.w.numel() * size_of(a.w.dtype)));
    const ChannelsLast w(a.w, memory.as<void>());
    if (!run(Pass::backward_weight, a, w.view.data)) return conv2d_direct_backward_weight(a);
    copy({w.view, a.w});
  }
  if (!a.b.data) return;
  const std::int64_t strides[4] = {0, a.b.strides[0], 0, 0};
  Operand bias = a.y;
  bias.data = a.b.data;
  bias.strides = strides;
  reduce({ReduceOp::sum, a.y, bias});
}

}  // namespace athanor::cuda
