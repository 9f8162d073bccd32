#include "nn/functional_call.h"

namespace athanor::nn {
namespace {

thread_local ReplaceParameters* innermost = nullptr;

}  // namespace

const Variable& Parameter::get() const {
  for (ReplaceParameters* scope = innermost; scope; scope = scope->outer_) {
    const auto it = scope->replacements_.find(own_.state());
    if (it == scope->replacements_.end()) continue;
    it->second.used = true;
    return it->second.value;
  }
  return own_;
}

ReplaceParameters::ReplaceParameters(const Module& module, const ParameterMap& parameters)
    : outer_(innermost) {
  const ParameterMap own = parameter_map(module);
  for (const auto& [name, value] : parameters) {
    const auto it = own.find(name);
    if (it == own.end()) {
      fail("functional_call", "expected names of the module's parameters, got ", name);
    }
    if (!(value.shape() == it->second.shape()) || value.dtype() != it->second.dtype()) {
      fail("functional_call", name, ": expected ", describe(it->second.tensor()), ", got ",
           describe(value.tensor()));
    }
    replacements_.emplace(it->second.state(), Replacement{name, value});
  }
  innermost = this;
}

ReplaceParameters::~ReplaceParameters() { innermost = outer_; }

void ReplaceParameters::check_used() const {
  for (const auto& [state, replacement] : replacements_) {
    if (!replacement.used) {
      fail("functional_call", "expected forward to read every replaced parameter, ",
           replacement.name, " was not read");
    }
  }
}

ParameterMap parameter_map(const Module& module) {
  ParameterMap map;
  for (auto& [name, parameter] : module.named_parameters()) map.emplace(name, parameter);
  return map;
}

Variable functional_call(Module& module, const ParameterMap& parameters, const Variable& x) {
  const ReplaceParameters scope(module, parameters);
  const Variable y = module.forward(x);
  scope.check_used();
  return y;
}

}  // namespace athanor::nn
