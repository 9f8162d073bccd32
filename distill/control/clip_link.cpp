#include "distill/control/clip_link.h"

#include <algorithm>
#include <cmath>

#include "distill/control/require.h"

namespace athanor::distill {
ClipLink::ClipLink(const ClipLinkOptions& options)
    : options_(options), norm_(options.decay), rate_(1 - 1.0 / std::max(options.rate_window, 1)) {
  require("clip_link", options.z > 0, "z > 0", options.z);
  require("clip_link", options.decay >= 0 && options.decay < 1, "decay in [0, 1)", options.decay);
  require("clip_link", options.relative_sigma > 0, "relative_sigma > 0", options.relative_sigma);
  require("clip_link", options.spike_z > options.z, "spike_z > z", options.spike_z);
  require("clip_link", options.warm_up >= 1, "warm_up >= 1", options.warm_up);
  require("clip_link", options.spike_restart >= 1, "spike_restart >= 1", options.spike_restart);
  require("clip_link", options.rate_window >= 1, "rate_window >= 1", options.rate_window);
  require("clip_link", options.low_rate < options.high_rate, "low_rate < high_rate",
          options.low_rate);
  require("clip_link", options.lr_down > 0 && options.lr_down < 1, "lr_down in (0, 1)",
          options.lr_down);
  require("clip_link", options.lr_up > 1, "lr_up > 1", options.lr_up);
  require("clip_link", options.min_lr_factor > 0 && options.min_lr_factor <= 1,
          "min_lr_factor in (0, 1]", options.min_lr_factor);
}

ClipDecision ClipLink::step(double grad_norm) {
  ClipDecision decision;
  decision.lr_factor = lr_factor_;
  decision.clip_rate = rate_.mean();
  ++report_.steps;
  if (!std::isfinite(grad_norm)) {
    decision.skip = true;
    decision.scale = 0;
    ++report_.skipped;
    return decision;
  }
  if (norm_.count() >= options_.warm_up) {
    decision.level = level();
    if (grad_norm > decision.level) {
      decision.clipped = true;
      decision.scale = decision.level / grad_norm;
      ++report_.clipped;
    }
    rate_.add(decision.clipped ? 1 : 0);
  }
  learn(grad_norm, decision.level);
  if (options_.link) decision.change = link();
  report_.clip_rate =
      static_cast<double>(report_.clipped) /
      static_cast<double>(std::max<std::int64_t>(report_.steps - report_.skipped, 1));
  decision.clip_rate = rate_.mean();
  decision.lr_factor = lr_factor_;
  return decision;
}

double ClipLink::level() const {
  const double sigma = std::max(norm_.stddev(), options_.relative_sigma * norm_.mean());
  return norm_.mean() + options_.z * sigma;
}

void ClipLink::learn(double grad_norm, double level) {
  if (level == 0) {  // warm-up
    norm_.add(grad_norm);
    return;
  }
  const double sigma = (level - norm_.mean()) / options_.z;
  if (grad_norm <= norm_.mean() + options_.spike_z * sigma) {
    spikes_ = 0;
    // A clipped norm counts as the level, so that a slow rise is followed slowly.
    norm_.add(std::min(grad_norm, level));
  } else if (++spikes_ >= options_.spike_restart) {
    spikes_ = 0;
    norm_ = ExponentialAverage(options_.decay);
  }
}

RateChange ClipLink::link() {
  const double rate = rate_.mean();
  above_ = rate > options_.high_rate ? above_ + 1 : 0;
  below_ = rate_.count() > 0 && rate < options_.low_rate ? below_ + 1 : 0;
  if (cooling_ > 0) {
    --cooling_;
    return RateChange::none;
  }
  RateChange change = RateChange::none;
  if (above_ >= options_.high_steps && lr_factor_ > options_.min_lr_factor) {
    lr_factor_ = std::max(lr_factor_ * options_.lr_down, options_.min_lr_factor);
    change = RateChange::down;
    ++report_.lowered;
  } else if (below_ >= options_.low_steps && lr_factor_ < 1) {
    lr_factor_ = std::min(lr_factor_ * options_.lr_up, 1.0);
    change = RateChange::up;
    ++report_.raised;
  }
  if (change != RateChange::none) {
    above_ = below_ = 0;
    cooling_ = options_.cool_down;
  }
  return change;
}

}  // namespace athanor::distill
