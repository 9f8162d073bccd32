// Automatic mixed precision: inside a scope, operations that gain from 16-bit inputs get them, and
// operations that lose by them get f32. Parameters stay f32, and so do their gradients.
//
//   Autocast scope(DType::bf16);
//   loss = cross_entropy(model(x), y);      // products in bf16, softmax and losses in f32
//
// Rules, by operation:
//   low      matmul, linear, attention, and on a CUDA device conv2d: f32 inputs become 16-bit
//   f32      exp, log, log1p, expm1, pow, rsqrt, reciprocal, softmax, log_softmax, logsumexp, sum,
//            cumsum, norm, var, layer and batch norm, every loss: 16-bit inputs become f32
//   promote  everything else: takes its inputs as they are; two dtypes give the wider one
// Composed operations (mean-squared error, einsum, ...) follow from those they are made of. f64
// stays f64. Backward runs in the dtypes that forward chose. f16 needs a loss scale (nn/amp.h),
// bf16 none.
#pragma once

#include <map>
#include <string_view>
#include <utility>

#include "autograd/variable.h"

namespace athanor {

enum class AutocastRule { low, f32, promote };
// The rule of an operation on a device.
AutocastRule autocast_rule(std::string_view op, Device device);

// While one lives, operations on this thread follow the rules with `low` as the 16-bit dtype; f32
// switches them off inside an outer scope. Throws for any other dtype.
class Autocast {
 public:
  explicit Autocast(DType low);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  friend DType autocast_dtype();
  friend Variable autocast(const char* op, const Variable& x);
  DType low_;
  Autocast* outer_;
  // Parameters cast in this scope: a weight used twice is converted once. By state and whether the
  // cast records a gradient; the second entry keeps the state alive and tells whether it is stale.
  struct Cast {
    Variable source, value;
    std::uint32_t version;
  };
  std::map<std::pair<const void*, bool>, Cast> casts_;
};

// The 16-bit dtype of the scope; f32 outside of one.
DType autocast_dtype();

// x in the dtype that the rule of `op` asks for; x itself outside of a scope.
Variable autocast(const char* op, const Variable& x);

namespace detail {
bool autocasts(const char* op, const Variable& x);
}
// Whether autocast() would change one of them: what an operation with a rule asks first.
template <class... Variables>
bool autocasts(const char* op, const Variables&... x) {
  return autocast_dtype() != DType::f32 && (detail::autocasts(op, x) || ...);
}

}  // namespace athanor
