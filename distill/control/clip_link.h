// Gradient clipping at an adaptive level, and its link with the learning rate.
//
// The level is mean + z sigma of the averaged gradient norm. Clipping is the symptom of a rate that
// is too high: a clip rate above 20% for 20 steps multiplies the rate by 0.7, below 2% for 200
// steps by 1.05, never above the schedule.
#pragma once

#include <cstdint>

#include "distill/control/average.h"

namespace athanor::distill {

struct ClipLinkOptions {
  double z = 2.5;               // the level in standard deviations above the mean
  double decay = 0.98;          // forgetting of the norm's statistics
  double relative_sigma = 0.1;  // sigma is taken as at least this share of the mean
  int warm_up = 20;             // steps that are measured before anything is clipped
  double spike_z = 8;           // norms beyond this many sigma are left out of the statistics
  int spike_restart = 50;       // so many spikes in a row are no spikes: the statistics start anew

  bool link = true;      // whether the clip rate moves the learning rate
  int rate_window = 50;  // steps over which the clip rate is averaged
  double high_rate = 0.20;
  int high_steps = 20;
  double lr_down = 0.7;
  double low_rate = 0.02;
  int low_steps = 200;
  double lr_up = 1.05;
  int cool_down = 50;  // steps after a change before the next
  double min_lr_factor = 0.05;
};

enum class RateChange { none, down, up };

// What to do with this step's gradient.
struct ClipDecision {
  bool skip = false;  // NaN or Inf: make no step at all
  bool clipped = false;
  double scale = 1;      // multiply the gradients by this
  double level = 0;      // of clipping; 0 during warm-up
  double clip_rate = 0;  // average over the last steps
  double lr_factor = 1;  // multiply the schedule's rate by this, in (0, 1]
  RateChange change = RateChange::none;
};

struct ClipReport {
  std::int64_t steps = 0, clipped = 0, skipped = 0, lowered = 0, raised = 0;
  double clip_rate = 0;  // clipped / steps
};

class ClipLink {
 public:
  // Throws usage for options that make no sense.
  explicit ClipLink(const ClipLinkOptions& options = {});

  // `grad_norm`: the norm of all gradients before clipping. NaN or Inf asks to skip the step and
  // leaves every average untouched.
  ClipDecision step(double grad_norm);
  ClipReport report() const { return report_; }

 private:
  double level() const;
  void learn(double grad_norm, double level);
  RateChange link();

  ClipLinkOptions options_;
  ExponentialAverage norm_, rate_;
  int spikes_ = 0, above_ = 0, below_ = 0, cooling_ = 0;
  double lr_factor_ = 1;
  ClipReport report_;
};

}  // namespace athanor::distill
