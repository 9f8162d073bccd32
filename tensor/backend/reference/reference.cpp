#include "tensor/backend/reference/reference.h"

namespace athanor {

const Kernels& reference_kernels() {
  static const Kernels table = [] {
    Kernels t;
    t.copy = {reference::copy, kAllDTypes};
    t.fill = {reference::fill, kAllDTypes};
    t.unary = {reference::unary, kAllDTypes};
    t.binary = {reference::binary, kAllDTypes};
    t.matmul = {reference::matmul, DTypeSet{DType::f32, DType::f64, DType::f16, DType::bf16}};
    t.reduce = {reference::reduce, kAllDTypes};
    return t;
  }();
  return table;
}

}  // namespace athanor
