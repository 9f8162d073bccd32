#include "distill/refine/link_mixture.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

namespace athanor::distill {
namespace {

// Upper ends of the levels below the highest, which is (almost) equality.
constexpr std::array<float, 6> kLevels{.15f, .3f, .45f, .6f, .75f, .95f};
constexpr std::size_t kLevelCount = kLevels.size() + 1;
constexpr int kIterations = 100;
constexpr double kFirstShare = .1;  // of matches among the candidates, before the first step
constexpr double kSmoothing = .5;   // pairs added to each level

using Frequencies = std::vector<std::array<double, kLevelCount>>;  // one a field

std::uint8_t level_of(float similarity) {
  if (std::isnan(similarity)) return kLevelCount;
  return static_cast<std::uint8_t>(std::upper_bound(kLevels.begin(), kLevels.end(), similarity) -
                                   kLevels.begin());
}

void normalise(std::array<double, kLevelCount>& counts) {
  double sum = 0;
  for (const double c : counts) sum += c;
  for (double& c : counts) c /= sum;
}

class LinkMixture {
 public:
  LinkMixture(std::span<const float> similarity, std::int64_t fields)
      : fields_(static_cast<std::size_t>(fields)), level_(similarity.size()) {
    std::transform(similarity.begin(), similarity.end(), level_.begin(), level_of);
    match_.resize(fields_);
    other_.resize(fields_);
    for (std::size_t f = 0; f < fields_; ++f) {
      match_[f].fill(kSmoothing);
      other_[f].fill(kSmoothing);
      for (std::size_t l = 0; l < kLevelCount; ++l) {
        match_[f][l] += std::pow(double(l) / double(kLevelCount - 1), 3);
      }
      for (std::size_t at = f; at < level_.size(); at += fields_) {
        if (level_[at] < kLevelCount) ++other_[f][level_[at]];
      }
      normalise(match_[f]);
      normalise(other_[f]);
    }
  }

  std::vector<double> run() {
    std::vector<double> posterior = judge();
    for (int iteration = 0; iteration < kIterations; ++iteration) {
      learn(posterior);
      std::vector<double> next = judge();
      double moved = 0;
      for (std::size_t p = 0; p < next.size(); ++p) {
        moved = std::max(moved, std::abs(next[p] - posterior[p]));
      }
      posterior = std::move(next);
      if (moved < 1e-4) break;
    }
    return posterior;
  }

 private:
  std::vector<double> judge() const {
    std::vector<std::array<double, kLevelCount>> weight(fields_);  // log likelihood ratios
    for (std::size_t f = 0; f < fields_; ++f) {
      for (std::size_t l = 0; l < kLevelCount; ++l) {
        weight[f][l] = std::log(match_[f][l] / other_[f][l]);
      }
    }
    const double prior = std::log(share_ / (1 - share_));
    std::vector<double> posterior(level_.size() / fields_);
    for (std::size_t p = 0; p < posterior.size(); ++p) {
      double sum = prior;
      for (std::size_t f = 0; f < fields_; ++f) {
        const std::uint8_t level = level_[p * fields_ + f];
        if (level < kLevelCount) sum += weight[f][level];
      }
      posterior[p] = 1 / (1 + std::exp(-sum));
    }
    return posterior;
  }

  void learn(const std::vector<double>& posterior) {
    double sum = 0;
    for (auto* side : {&match_, &other_}) {
      for (auto& counts : *side) counts.fill(kSmoothing);
    }
    for (std::size_t p = 0; p < posterior.size(); ++p) {
      sum += posterior[p];
      for (std::size_t f = 0; f < fields_; ++f) {
        const std::uint8_t level = level_[p * fields_ + f];
        if (level == kLevelCount) continue;
        match_[f][level] += posterior[p];
        other_[f][level] += 1 - posterior[p];
      }
    }
    for (auto* side : {&match_, &other_}) {
      for (auto& counts : *side) normalise(counts);
    }
    share_ = std::clamp(sum / static_cast<double>(posterior.size()), 1e-6, .5);
  }

  const std::size_t fields_;
  std::vector<std::uint8_t> level_;  // [pairs, fields]; kLevelCount = cannot be compared
  Frequencies match_, other_;
  double share_ = kFirstShare;
};

}  // namespace

std::vector<double> match_posteriors(std::span<const float> similarity, std::int64_t fields) {
  if (similarity.empty()) return {};
  return LinkMixture(similarity, fields).run();
}

double best_expected_f1_cut(std::span<const double> posterior) {
  std::vector<double> sorted(posterior.begin(), posterior.end());
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  double all = 0, sum = 0, best = 0, cut = 1;
  for (const double p : sorted) all += p;
  for (std::size_t k = 0; k < sorted.size(); ++k) {
    sum += sorted[k];
    const double f1 = 2 * sum / (static_cast<double>(k + 1) + all);
    if (f1 <= best) continue;
    best = f1;
    cut = sorted[k];
  }
  return cut;
}

}  // namespace athanor::distill
