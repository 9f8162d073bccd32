#include "distill/control/label_mix.h"

#include <algorithm>

#include "tensor/base/error.h"

namespace athanor::distill {

LabelMixKind label_mix_kind(std::string_view name) {
  if (name == "constant") return LabelMixKind::constant;
  if (name == "scheduled") return LabelMixKind::scheduled;
  if (name == "trust") return LabelMixKind::trust;
  raise(ErrorKind::usage, "[label_mix] expected constant, scheduled or trust, got '", name, "'");
}

LabelMix::LabelMix(const LabelMixOptions& options) : options_(options) {
  for (double weight : {options.start, options.end, options.max}) {
    if (!(weight >= 0 && weight <= 1)) {
      raise(ErrorKind::usage, "[label_mix] expected weights in [0, 1], got ", weight);
    }
  }
}

std::vector<float> LabelMix::weights(double progress, std::span<const float> trust) const {
  std::vector<float> out(trust.size());
  if (options_.kind == LabelMixKind::trust) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = static_cast<float>(options_.max) * std::clamp(trust[i], 0.0f, 1.0f);
    }
    return out;
  }
  const double t = options_.kind == LabelMixKind::scheduled ? std::clamp(progress, 0.0, 1.0) : 0.0;
  const double weight = options_.start + (options_.end - options_.start) * t;
  std::fill(out.begin(), out.end(), static_cast<float>(weight));
  return out;
}

bool LabelMix::is_zero() const {
  switch (options_.kind) {
    case LabelMixKind::constant:
      return options_.start == 0;
    case LabelMixKind::scheduled:
      return options_.start == 0 && options_.end == 0;
    case LabelMixKind::trust:
      break;
  }
  return options_.max == 0;
}

}  // namespace athanor::distill
