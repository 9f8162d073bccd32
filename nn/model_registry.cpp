#include "nn/model_registry.h"

#include <map>

#include "tensor/base/error.h"

namespace athanor::nn {
namespace {

std::map<std::string, ModelMaker>& makers() {
  static std::map<std::string, ModelMaker> table;
  return table;
}

}  // namespace

void register_model(const std::string& name, ModelMaker maker) {
  if (!maker || name.empty() || !makers().emplace(name, std::move(maker)).second) {
    raise(ErrorKind::usage, "register_model: expected a new name and a function, got ", name);
  }
}

const ModelMaker* find_model(const std::string& name) {
  const auto at = makers().find(name);
  return at == makers().end() ? nullptr : &at->second;
}

std::vector<std::string> registered_models() {
  std::vector<std::string> names;
  for (const auto& [name, maker] : makers()) names.push_back(name);
  return names;
}

}  // namespace athanor::nn
