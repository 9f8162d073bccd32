// Variable: a Tensor with gradient state.
//
// A Tensor converts to a constant Variable by itself; the way back is the explicit tensor(). A
// Variable is a handle: copies share value, gradient and history.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "tensor/base/ref.h"
#include "tensor/tensor.h"

namespace athanor {

class Node;
class Variable;

// Called with a gradient; returns the gradient to go on with, or an undefined Variable to keep it.
using GradientHook = std::function<Variable(const Variable&)>;

namespace detail {
struct VariableState;
}

class Variable {
 public:
  // An undefined Variable.
  Variable() = default;
  // A constant.
  Variable(Tensor value);
  // A leaf. Throws when a gradient is asked of a non-floating tensor.
  Variable(Tensor value, bool requires_grad);

  bool defined() const { return static_cast<bool>(state_); }
  inline const Tensor& tensor() const;
  const Shape& shape() const { return tensor().shape(); }
  std::int64_t size(int axis) const { return tensor().size(axis); }
  int rank() const { return tensor().rank(); }
  std::int64_t numel() const { return tensor().numel(); }
  DType dtype() const { return tensor().dtype(); }
  Device device() const { return tensor().device(); }
  double item() const { return tensor().item(); }

  // True for a leaf that asks for a gradient and for every result computed from one.
  inline bool requires_grad() const;
  inline bool is_leaf() const;
  // The gradient accumulated by backward(); undefined before the first one. Leaves only.
  Variable grad() const;
  void set_grad(const Variable& grad);
  void zero_grad() { set_grad({}); }

  // Replaces a leaf's value, as an optimiser does; shape and dtype must stay.
  void set_value(const Tensor& value);
  // Same value, no history.
  Variable detach() const;

  // Computes gradients of this Variable with respect to every leaf that asks for one, and adds them
  // to their grad(). `gradient` defaults to 1 and must be given unless there is one element.
  //
  // What the operations saved is freed on the way, and a second backward through any of them is an
  // error that names it, unless `retain_graph` is set. `create_graph` retains too, and records how
  // the gradients were made, so that they can be differentiated; a leaf's grad() then refers to a
  // graph that refers to the leaf, and only zero_grad() frees both. Prefer athanor::grad().
  void backward(const Variable& gradient = {}, bool retain_graph = false,
                bool create_graph = false) const;
  // Calls `hook` once a backward, with the whole gradient of this Variable.
  void register_hook(GradientHook hook) const;

  // The value of a computed Variable that is given away: moved out when this is its only handle,
  // else shared. Shape, dtype and history stay.
  Tensor take_tensor() &&;

  // For the engine.
  detail::VariableState* state() const { return state_.get(); }
  explicit Variable(Ref<detail::VariableState> state) : state_(std::move(state)) {}

 private:
  Ref<detail::VariableState> state_;
};

namespace detail {

struct VariableState final : RefCounted {
  Tensor value;
  bool requires_grad = false;
  Ref<Node> producer;    // null for a leaf
  int output_index = 0;  // which output of the producer
  Variable grad;
  std::unique_ptr<std::vector<GradientHook>> hooks;  // of a leaf; null without any

  explicit VariableState(Tensor&& value);
  ~VariableState() override;
};

extern const Tensor undefined_tensor;

}  // namespace detail

const Tensor& Variable::tensor() const { return state_ ? state_->value : detail::undefined_tensor; }
bool Variable::requires_grad() const { return state_ && state_->requires_grad; }
bool Variable::is_leaf() const { return !state_ || !state_->producer; }

// Whether operations record history on this thread.
bool grad_enabled();

// While one lives, operations on this thread record no history.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool previous_;
};

// While one lives, nothing on this thread records history, whatever code inside asks for with
// GradMode, and backward() and grad() are errors: for evaluation and serving, where a gradient can
// only be a mistake. Results are ordinary constants and may be used in training later.
class InferenceMode {
 public:
  InferenceMode();
  ~InferenceMode();
  InferenceMode(const InferenceMode&) = delete;
  InferenceMode& operator=(const InferenceMode&) = delete;

 private:
  bool previous_;
};
bool in_inference_mode();

// While one lives, recording is on or off on this thread.
class GradMode {
 public:
  explicit GradMode(bool enabled);
  ~GradMode();
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;

 private:
  bool previous_;
};

// Gradients of the sum of `outputs` (each weighted by its entry of `output_gradients`, default 1)
// with respect to `inputs`; nothing is accumulated in grad(). With create_graph the results can be
// differentiated again. An input that no output depends on is an error, or undefined in the result
// when allow_unused is set.
std::vector<Variable> grad(const std::vector<Variable>& outputs,
                           const std::vector<Variable>& inputs, bool create_graph = false,
                           bool retain_graph = false, bool allow_unused = false,
                           const std::vector<Variable>& output_gradients = {});

}  // namespace athanor
