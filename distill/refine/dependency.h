// Functional dependencies A -> B: records that agree in A must agree in B; where they do not, which
// value is right is voted on.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace athanor::distill {

struct DependencyVote {
  // [dependent][record]: the value that wins in the record's group, -1 where it has none.
  std::vector<std::vector<std::int32_t>> winner;
};

// group[i]: number of the record's A value, in [0, groups), -1 = absent; value[d][i]: number of its
// value of dependent d, -1 = absent; source[i]: number of who states it, empty = unknown.
//
// Without sources the most frequent value wins, the first that occurred among equals. With sources
// a vote weighs 3 + logit(share of the source's statements that win), and is lowered by
// 1 - c for each more trusted source with the same value, c = how often the two state the same
// value where at least one of them loses (copies share mistakes; after Dong, Berti-Equille &
// Srivastava, VLDB 2009). Eight rounds from a trust of 0.8. Dependence is measured when there are
// at most 500 sources, in groups of at most 100 records.
DependencyVote vote_on_dependency(std::span<const std::int32_t> group, std::int64_t groups,
                                  const std::vector<std::vector<std::int32_t>>& value,
                                  std::span<const std::int32_t> source);

}  // namespace athanor::distill
