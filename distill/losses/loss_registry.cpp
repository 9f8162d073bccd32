#include "distill/losses/loss_registry.h"

#include "tensor/base/error.h"

namespace athanor::distill {
namespace {

std::map<std::string, LossFunction>& losses() {
  static std::map<std::string, LossFunction> table;
  return table;
}

}  // namespace

void register_loss(const std::string& name, LossFunction loss) {
  const bool taken = name.empty() || name == "kd" || name == "kd_every" || name == "relation" ||
                     name.find('.') != std::string::npos;
  if (taken || !loss || !losses().emplace(name, std::move(loss)).second) {
    raise(ErrorKind::usage, "register_loss: expected a new name and a function, got ", name);
  }
}

const std::map<std::string, LossFunction>& registered_losses() { return losses(); }

}  // namespace athanor::distill
