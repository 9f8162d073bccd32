#include "autograd/autocast.h"

#include <algorithm>

#include "autograd/ops/copy.h"

namespace athanor {
namespace {

thread_local Autocast* innermost = nullptr;

constexpr std::string_view kLow[] = {"attention", "linear", "matmul"};
// The CPU's convolutions know f32 only.
constexpr std::string_view kLowOnCuda[] = {"conv2d"};
constexpr std::string_view kWide[] = {
    "add_layer_norm", "add_rms_norm", "batch_norm", "conv2d",
    "cross_entropy",  "cumsum",       "exp",        "expm1",
    "kl_div",         "layer_norm",   "log",        "log1p",
    "log_softmax",    "logsumexp",    "norm",       "pow",
    "reciprocal",     "rms_norm",     "rsqrt",      "segment_softmax",
    "softmax",        "sum",          "var"};

template <std::size_t N>
bool has(const std::string_view (&names)[N], std::string_view op) {
  return std::find(names, names + N, op) != names + N;
}

bool is_low(DType t) { return t == DType::f16 || t == DType::bf16; }

// The dtype for x under the rule, x's own where nothing is to do.
DType target(const char* op, const Variable& x, DType low) {
  const DType now = x.dtype();
  if (!is_low(now) && now != DType::f32) return now;
  switch (autocast_rule(op, x.device())) {
    case AutocastRule::low:
      return low;
    case AutocastRule::f32:
      return DType::f32;
    default:
      return now;
  }
}

}  // namespace

AutocastRule autocast_rule(std::string_view op, Device device) {
  if (has(kLow, op)) return AutocastRule::low;
  if (device.type == DeviceType::cuda && has(kLowOnCuda, op)) return AutocastRule::low;
  return has(kWide, op) ? AutocastRule::f32 : AutocastRule::promote;
}

Autocast::Autocast(DType low) : low_(low), outer_(innermost) {
  if (!is_low(low) && low != DType::f32) {
    fail("autocast", "expected dtype f16, bf16 or f32, got ", low);
  }
  innermost = this;
}
Autocast::~Autocast() { innermost = outer_; }

DType autocast_dtype() { return innermost ? innermost->low_ : DType::f32; }

Variable autocast(const char* op, const Variable& x) {
  if (!innermost || innermost->low_ == DType::f32 || !x.defined()) return x;
  const DType to = target(op, x, innermost->low_);
  if (to == x.dtype()) return x;
  // Only leaves are worth keeping: a computed value is used where it was made.
  if (!is_low(to) || !x.is_leaf() || !x.requires_grad()) return cast(x, to);
  Autocast::Cast& kept = innermost->casts_[{x.state(), grad_enabled()}];
  if (!kept.value.defined() || kept.value.dtype() != to || kept.version != x.tensor().version()) {
    kept = {x, cast(x, to), x.tensor().version()};
  }
  return kept.value;
}

namespace detail {

bool autocasts(const char* op, const Variable& x) {
  return x.defined() && target(op, x, autocast_dtype()) != x.dtype();
}

}  // namespace detail
}  // namespace athanor
