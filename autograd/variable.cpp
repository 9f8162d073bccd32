#include "autograd/variable.h"

#include "autograd/anomaly.h"
#include "autograd/node.h"

namespace athanor {
namespace {

thread_local bool grad_enabled_here = true;
thread_local bool inference_here = false;

}  // namespace

bool grad_enabled() { return grad_enabled_here && !inference_here; }
bool in_inference_mode() { return inference_here; }

InferenceMode::InferenceMode() : previous_(inference_here) { inference_here = true; }
InferenceMode::~InferenceMode() { inference_here = previous_; }

NoGrad::NoGrad() : previous_(grad_enabled_here) { grad_enabled_here = false; }
NoGrad::~NoGrad() { grad_enabled_here = previous_; }
GradMode::GradMode(bool enabled) : previous_(grad_enabled_here) { grad_enabled_here = enabled; }
GradMode::~GradMode() { grad_enabled_here = previous_; }

namespace detail {
constinit const Tensor undefined_tensor{};
VariableState::VariableState(Tensor&& v) : value(std::move(v)) {}
VariableState::~VariableState() = default;
}  // namespace detail

Variable::Variable(Tensor value) : Variable(std::move(value), false) {}

Variable::Variable(Tensor value, bool requires_grad) {
  if (!value.defined()) return;
  if (requires_grad && !is_floating(value.dtype())) {
    fail("variable", "expected a floating dtype for requires_grad, got ", describe(value));
  }
  state_ = make_ref<detail::VariableState>(std::move(value));
  state_->requires_grad = requires_grad;
}

Variable Variable::grad() const { return state_ ? state_->grad : Variable(); }

void Variable::set_grad(const Variable& grad) {
  if (!state_) fail("set_grad", "expected a defined variable, got an undefined one");
  if (grad.defined() && !(grad.shape() == shape())) {
    fail("set_grad", "expected shape ", shape(), ", got ", describe(grad.tensor()));
  }
  state_->grad = grad;
}

void Variable::set_value(const Tensor& value) {
  if (!state_ || !is_leaf()) fail("set_value", "expected a leaf, got a computed variable");
  if (!(value.shape() == shape()) || value.dtype() != dtype()) {
    fail("set_value", "expected ", describe(tensor()), ", got ", describe(value));
  }
  state_->value = value;
}

Tensor Variable::take_tensor() && {
  if (!state_) return {};
  // Anomaly mode wants to look at inputs afterwards.
  const bool computed = state_->producer || !state_->requires_grad;
  if (computed && state_->use_count() == 1 && !detail::anomaly_enabled()) {
    return std::move(state_->value);
  }
  return state_->value;
}

Variable Variable::detach() const { return Variable(tensor()); }

void Variable::register_hook(GradientHook hook) const {
  if (!requires_grad()) {
    fail("register_hook", "expected a variable that requires a gradient, got ", describe(tensor()));
  }
  if (state_->producer) return state_->producer->add_hook(state_->output_index, std::move(hook));
  if (!state_->hooks) state_->hooks = std::make_unique<std::vector<GradientHook>>();
  state_->hooks->push_back(std::move(hook));
}

}  // namespace athanor
