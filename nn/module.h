// Modules: functions with named parameters and buffers.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "autograd/variable.h"
#include "tensor/random.h"

namespace athanor::nn {

using StateDict = std::map<std::string, Tensor>;

// What load_state_dict() found: names the module has and the file lacks, and the reverse.
struct StateDictReport {
  std::vector<std::string> missing, unexpected;
  bool complete() const { return missing.empty() && unexpected.empty(); }
};

// What a module holds of its parameter: reads as a Variable; inside functional_call() as the one
// that replaces it. A Variable copied from it is the replacement of that moment.
class Parameter {
 public:
  Parameter() = default;  // undefined, as a bias that is left out
  const Variable& get() const;
  operator const Variable&() const { return get(); }

 private:
  friend class Module;
  explicit Parameter(Variable own) : own_(std::move(own)) {}
  Variable own_;
};

// What a module holds of a tensor that belongs to its state but is not trained.
class Buffer {
 public:
  Buffer() = default;
  Tensor& get() const { return *value_; }
  operator Tensor&() const { return get(); }

 private:
  friend class Module;
  explicit Buffer(const Tensor& value) : value_(std::make_shared<Tensor>(value)) {}
  std::shared_ptr<Tensor> value_;
};

// Base of layers and models. Names follow PyTorch ("0.weight", "fc1.bias", "bn.running_mean"), so
// that weights cross over. In evaluation mode forward() writes nothing and may run on several
// threads at once.
class Module {
 public:
  virtual ~Module() = default;
  Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  virtual Variable forward(const Variable& x) = 0;
  Variable operator()(const Variable& x) { return forward(x); }

  // Training or evaluation behaviour of dropout and batch norm, for all submodules.
  void train(bool training = true);
  void eval() { train(false); }
  bool training() const { return training_; }

  // Parameters in the order of registration, submodules in theirs.
  std::vector<std::pair<std::string, Variable>> named_parameters() const;
  std::vector<Variable> parameters() const;
  std::int64_t parameter_count() const;
  void zero_grad();

  // Copies of all parameters and buffers by name.
  StateDict state_dict() const;
  // Copies values in. Throws on a shape or dtype that differs and, when `strict`, on any missing or
  // unexpected name, listing all of them; nothing is changed then.
  StateDictReport load_state_dict(const StateDict& state, bool strict = true);

  // The generators that submodules draw from in training (dropout), by the name of the module that
  // owns one: what a checkpoint must save, and what checkpoint() must set back. They live as long
  // as the module.
  std::vector<std::pair<std::string, Generator*>> named_generators() const;
  std::vector<Generator*> generators() const;

  // Converts floating parameters and buffers; gradients are dropped. Optimisers made before keep
  // state of the old dtype: make them afterwards.
  void to(DType dtype);
  // Moves parameters and buffers; gradients are dropped. Optimisers made before keep their state
  // where it was: make them afterwards.
  void to(Device device);

 protected:
  // Keep the result as a Parameter: a Variable would not follow functional_call().
  Parameter register_parameter(std::string name, const Tensor& value);
  Buffer register_buffer(std::string name, const Tensor& value);
  // `generator` is a member of the module.
  void register_generator(Generator& generator) { generators_.push_back(&generator); }
  template <class M>
  std::shared_ptr<M> register_module(std::string name, std::shared_ptr<M> module) {
    modules_.emplace_back(std::move(name), module);
    return module;
  }

 private:
  // Every parameter and buffer by full name; tensors share memory with the module.
  void collect(const std::string& prefix, std::vector<std::pair<std::string, Tensor>>& all) const;
  void collect_parameters(const std::string& prefix,
                          std::vector<std::pair<std::string, Variable>>& all) const;
  void collect_generators(const std::string& prefix,
                          std::vector<std::pair<std::string, Generator*>>& all) const;

  bool training_ = true;
  std::vector<std::pair<std::string, Variable>> parameters_;
  std::vector<std::pair<std::string, Buffer>> buffers_;
  std::vector<Generator*> generators_;
  std::vector<std::pair<std::string, std::shared_ptr<Module>>> modules_;
};

}  // namespace athanor::nn
