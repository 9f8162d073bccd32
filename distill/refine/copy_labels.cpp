#include "distill/refine/copy_labels.h"

#include <algorithm>

#include "distill/refine/feature_values.h"

namespace athanor::distill {

std::vector<char> most_probable_of_copies(const TableRecords& records,
                                          std::span<const std::int64_t> group,
                                          std::span<const char> sound,
                                          const ProbabilityTable& posterior) {
  const std::int64_t n = records.size();
  std::vector<std::int64_t> speaker(static_cast<std::size_t>(n), -1);  // a sound one of the group
  for (std::int64_t i = 0; i < n; ++i) {
    std::int64_t& s = speaker[group[i]];
    if (s < 0 && sound[i] && records.label[i] >= 0 && posterior.known(i)) s = i;
  }
  std::vector<double> most(static_cast<std::size_t>(n));
  const auto of = [&](std::int64_t i) {
    const std::int64_t s = speaker[group[i]];
    return s >= 0 && records.label[i] >= 0 ? posterior.row(s)[records.label[i]] : 0;
  };
  for (std::int64_t i = 0; i < n; ++i) most[group[i]] = std::max(most[group[i]], of(i));
  std::vector<char> agrees(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) agrees[i] = of(i) >= most[group[i]];
  return agrees;
}

std::vector<double> rule_consistency(const TableRecords& records,
                                     std::span<const std::int64_t> group,
                                     std::span<const char> agrees) {
  const std::int64_t n = records.size();
  std::vector<double> held(static_cast<std::size_t>(n)), applied(held);
  for (const RuleCheck& check : records.checks) {
    for (std::int64_t i = 0; i < n; ++i) {
      applied[i] += check.state[i] != RuleState::not_applicable;
      held[i] += check.state[i] == RuleState::holds;
    }
  }
  if (records.has_label) {
    // Same content, another label than its copies.
    std::vector<std::int64_t> size(static_cast<std::size_t>(n));
    for (const std::int64_t g : group) ++size[g];
    for (std::int64_t i = 0; i < n; ++i) {
      if (size[group[i]] < 2) continue;
      ++applied[i];
      held[i] += agrees[i];
    }
  }
  std::vector<double> result(static_cast<std::size_t>(n), kNotApplicable);
  for (std::int64_t i = 0; i < n; ++i) {
    if (applied[i] > 0) result[i] = held[i] / applied[i];
  }
  return result;
}

}  // namespace athanor::distill
