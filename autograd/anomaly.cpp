#include "autograd/anomaly.h"

#include "autograd/node.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/unary.h"

namespace athanor {
namespace {

thread_local bool enabled_here = false;

bool has_nan(const Tensor& t) {
  return t.defined() && is_floating(t.dtype()) && any(isnan(t)).item() != 0;
}

// "input 0 [2, 3] f32 made by log, input 1 [3] f32 a leaf": where the inputs of a node came from.
std::string describe_inputs(const Node& node) {
  std::string text;
  for (std::size_t i = 0; i < node.edges().size(); ++i) {
    const Edge& edge = node.edges()[i];
    text += str(i ? ", " : "", "input ", i, " ", edge.shape, " ", edge.dtype, " ");
    if (edge.producer) {
      text += str("made by ", edge.producer->op());
    } else {
      text += edge.leaf ? "a leaf" : "a constant";
    }
  }
  return text;
}

}  // namespace

DetectAnomaly::DetectAnomaly() : previous_(enabled_here) { enabled_here = true; }
DetectAnomaly::~DetectAnomaly() { enabled_here = previous_; }

namespace detail {

bool anomaly_enabled() { return enabled_here; }

void check_forward(const char* op, const Tensor& value,
                   std::span<const std::reference_wrapper<const Variable>> inputs) {
  if (!has_nan(value)) return;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& input = inputs[i].get().tensor();
    if (has_nan(input)) {
      fail("anomaly", "the result of ", op, " (", describe(value), ") has NaN because its input ",
           i, " (", describe(input), ") has: it came into the computation from outside");
    }
  }
  fail("anomaly", op, " made the first NaN: its result (", describe(value),
       ") has NaN, its inputs have none");
}

void check_gradient(const Node& node, int input, const Variable& gradient) {
  if (all(isfinite(gradient.tensor())).item() != 0) return;
  fail("anomaly", "the gradient of ", node.op(), " for its input ", input, " (",
       describe(gradient.tensor()), ") has NaN or Inf (", describe_inputs(node), ")");
}

}  // namespace detail
}  // namespace athanor
