#include "distill/losses/guidance.h"

#include <map>
#include <utility>

#include "autograd/ops/kl_div.h"
#include "tensor/base/error.h"
#include "tensor/print.h"

namespace athanor::distill {
namespace {

constexpr const char* kDivergence = "kl";

std::map<std::string, GuidanceLoss>& registered() {
  static std::map<std::string, GuidanceLoss> losses;
  return losses;
}

}  // namespace

void register_guidance_loss(const std::string& name, GuidanceLoss loss) {
  if (name.empty() || !loss || name == kDivergence || registered().contains(name)) {
    raise(ErrorKind::usage, "register_guidance_loss: expected a new name and a function, got '",
          name, "'", loss ? "" : " without one");
  }
  registered().emplace(name, std::move(loss));
}

std::vector<std::string> guidance_losses() {
  std::vector<std::string> names{kDivergence};
  for (const auto& [name, loss] : registered()) names.push_back(name);
  return names;
}

Variable guidance_loss(const std::string& name, const Variable& student, const Variable& teacher,
                       double temperature, const Variable& weights) {
  if (name == kDivergence) return kl_div_with_temperature(student, teacher, temperature, weights);
  const auto found = registered().find(name);
  if (found == registered().end()) {
    std::string names;
    for (const std::string& known : guidance_losses()) names += (names.empty() ? "" : ", ") + known;
    raise(ErrorKind::usage, "loss.distance: expected one of ", names, "; got ", name);
  }
  const Variable loss = found->second(student, teacher, temperature, weights);
  if (!loss.tensor().defined() || loss.numel() != 1) {
    raise(ErrorKind::usage, "loss.distance ", name, ": expected a loss of one number, got ",
          loss.tensor().defined() ? describe(loss.tensor()) : std::string("none"));
  }
  return loss;
}

}  // namespace athanor::distill
