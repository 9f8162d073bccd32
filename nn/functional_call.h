// A module as a function of its parameters: what unrolled and meta-learned distillation needs.
#pragma once

#include <map>
#include <string>

#include "nn/module.h"

namespace athanor::nn {

using ParameterMap = std::map<std::string, Variable>;

// module.forward(x) with the named parameters replaced; the others stay the module's own. The
// replacements may be computed: gradients flow through them, any number of times.
//
//   p.at(name) = p.at(name) - rate * gradient;   // an inner step, differentiable
//   functional_call(module, p, x)
//
// Throws for a name the module does not have, for another shape or dtype, and when forward did not
// read a replacement. The module is not changed; other threads do not see the replacements.
Variable functional_call(Module& module, const ParameterMap& parameters, const Variable& x);

// The module's parameters by name, to start from.
ParameterMap parameter_map(const Module& module);

// While one lives, the module on this thread reads these parameters: for calls other than
// forward(x). check_used() throws unless every replacement has been read.
class ReplaceParameters {
 public:
  ReplaceParameters(const Module& module, const ParameterMap& parameters);
  ~ReplaceParameters();
  ReplaceParameters(const ReplaceParameters&) = delete;
  ReplaceParameters& operator=(const ReplaceParameters&) = delete;
  void check_used() const;

 private:
  friend class Parameter;
  struct Replacement {
    std::string name;
    Variable value;
    bool used = false;
  };
  std::map<const detail::VariableState*, Replacement> replacements_;
  ReplaceParameters* outer_;
};

}  // namespace athanor::nn
