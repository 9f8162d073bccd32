// Connected components of rows that are joined pair by pair.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

namespace athanor::distill {

// Union-find whose representative is the lowest row of a component.
class Components {
 public:
  explicit Components(std::int64_t n) : parent_(static_cast<std::size_t>(n)) {
    std::iota(parent_.begin(), parent_.end(), std::int64_t{0});
  }
  std::int64_t find(std::int64_t i) {
    for (; parent_[i] != i; i = parent_[i]) parent_[i] = parent_[parent_[i]];
    return i;
  }
  void join(std::int64_t i, std::int64_t j) {
    i = find(i);
    j = find(j);
    if (i != j) parent_[std::max(i, j)] = std::min(i, j);
  }

 private:
  std::vector<std::int64_t> parent_;
};

}  // namespace athanor::distill
