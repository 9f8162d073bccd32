#include "nn/module.h"

#include <algorithm>

#include "tensor/ops/copy.h"
#include "tensor/ops/device.h"

namespace athanor::nn {
namespace {

std::string join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "none" : text;
}

}  // namespace

void Module::train(bool training) {
  training_ = training;
  for (auto& [name, module] : modules_) module->train(training);
}

void Module::collect_parameters(const std::string& prefix,
                                std::vector<std::pair<std::string, Variable>>& all) const {
  for (const auto& [name, parameter] : parameters_) all.emplace_back(prefix + name, parameter);
  for (const auto& [name, module] : modules_) module->collect_parameters(prefix + name + ".", all);
}

void Module::collect(const std::string& prefix,
                     std::vector<std::pair<std::string, Tensor>>& all) const {
  for (const auto& [name, parameter] : parameters_) {
    all.emplace_back(prefix + name, parameter.tensor());
  }
  for (const auto& [name, buffer] : buffers_) all.emplace_back(prefix + name, buffer.get());
  for (const auto& [name, module] : modules_) module->collect(prefix + name + ".", all);
}

std::vector<std::pair<std::string, Variable>> Module::named_parameters() const {
  std::vector<std::pair<std::string, Variable>> all;
  collect_parameters("", all);
  return all;
}

std::vector<Variable> Module::parameters() const {
  std::vector<Variable> all;
  for (auto& [name, parameter] : named_parameters()) all.push_back(parameter);
  return all;
}

std::int64_t Module::parameter_count() const {
  std::int64_t n = 0;
  for (const auto& [name, parameter] : named_parameters()) n += parameter.numel();
  return n;
}

void Module::zero_grad() {
  for (auto& [name, parameter] : named_parameters()) parameter.zero_grad();
}

StateDict Module::state_dict() const {
  std::vector<std::pair<std::string, Tensor>> all;
  collect("", all);
  StateDict state;
  for (const auto& [name, value] : all) state.emplace(name, clone(value));
  return state;
}

StateDictReport Module::load_state_dict(const StateDict& state, bool strict) {
  std::vector<std::pair<std::string, Tensor>> own;
  collect("", own);
  StateDictReport report;
  for (const auto& [name, value] : own) {
    const auto it = state.find(name);
    if (it == state.end()) {
      report.missing.push_back(name);
    } else if (!(it->second.shape() == value.shape()) || it->second.dtype() != value.dtype()) {
      raise(ErrorKind::bad_input, "[load_state_dict] ", name, ": expected ", describe(value),
            ", got ", describe(it->second));
    }
  }
  for (const auto& [name, value] : state) {
    const bool known = std::any_of(
        own.begin(), own.end(), [&name = name](const auto& entry) { return entry.first == name; });
    if (!known) report.unexpected.push_back(name);
  }
  if (strict && !report.complete()) {
    raise(ErrorKind::bad_input,
          "[load_state_dict] expected exactly the module's names; missing: ", join(report.missing),
          "; unexpected: ", join(report.unexpected));
  }
  for (auto& [name, value] : own) {
    const auto it = state.find(name);
    if (it != state.end()) copy_(value, it->second);
  }
  return report;
}

Parameter Module::register_parameter(std::string name, const Tensor& value) {
  parameters_.emplace_back(std::move(name), Variable(value, true));
  return Parameter(parameters_.back().second);
}

Buffer Module::register_buffer(std::string name, const Tensor& value) {
  buffers_.emplace_back(std::move(name), Buffer(value));
  return buffers_.back().second;
}

void Module::collect_generators(const std::string& prefix,
                                std::vector<std::pair<std::string, Generator*>>& all) const {
  for (Generator* generator : generators_) all.emplace_back(prefix, generator);
  for (const auto& [name, module] : modules_) {
    module->collect_generators(prefix.empty() ? name : prefix + "." + name, all);
  }
}

std::vector<std::pair<std::string, Generator*>> Module::named_generators() const {
  std::vector<std::pair<std::string, Generator*>> all;
  collect_generators("", all);
  return all;
}

std::vector<Generator*> Module::generators() const {
  std::vector<Generator*> all;
  for (const auto& [name, generator] : named_generators()) all.push_back(generator);
  return all;
}

void Module::to(DType dtype) {
  if (!is_floating(dtype)) fail("Module::to", "expected a floating dtype, got ", dtype);
  for (auto& [name, parameter] : parameters_) {
    parameter.zero_grad();
    parameter.state()->value = cast(parameter.tensor(), dtype);
  }
  for (auto& [name, buffer] : buffers_) {
    if (is_floating(buffer.get().dtype())) buffer.get() = cast(buffer.get(), dtype);
  }
  for (auto& [name, module] : modules_) module->to(dtype);
}

void Module::to(Device device) {
  for (auto& [name, parameter] : parameters_) {
    parameter.zero_grad();
    parameter.set_value(athanor::to(parameter.tensor(), device));
  }
  for (auto& [name, buffer] : buffers_) buffer.get() = athanor::to(buffer.get(), device);
  for (auto& [name, module] : modules_) module->to(device);
}

}  // namespace athanor::nn
