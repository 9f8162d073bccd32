// How much of the loss each record's given label gets:
//   L_i = w_i(t) CE + (1 - w_i(t)) T^2 KL.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace athanor::distill {

enum class LabelMixKind {
  constant,   // w_i = start
  scheduled,  // w_i from start to end, linear in training
  trust,      // w_i = max * trust_i
};

// From "constant", "scheduled" or "trust"; another name throws usage.
LabelMixKind label_mix_kind(std::string_view name);

struct LabelMixOptions {
  LabelMixKind kind = LabelMixKind::trust;
  double start = 0.5;  // 0.5 constant is the article's form
  double end = 0;
  double max = 0.1;
};

class LabelMix {
 public:
  // Throws usage unless every weight lies in [0, 1].
  explicit LabelMix(const LabelMixOptions& options = {});

  // w of each record of a batch. `trust` holds their label trust in [0, 1]; values outside are cut.
  std::vector<float> weights(double progress, std::span<const float> trust) const;
  // True when no record ever gets a hard label.
  bool is_zero() const;

 private:
  LabelMixOptions options_;
};

}  // namespace athanor::distill
