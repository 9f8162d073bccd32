#include <algorithm>
#include <unordered_map>

#include "distill/refine/components.h"
#include "distill/refine/short_copies.h"
#include "distill/refine/table_features.h"
#include "tensor/base/parallel.h"

namespace athanor::distill {
namespace {

constexpr std::size_t kPairs = 1 << 16;  // candidates that are compared at a time

// Joins near copies into groups, and those of the same wording within them.
class NearPairs {
 public:
  NearPairs(const TextArena& text, double threshold, Components& groups, Components& wordings)
      : text_(text), threshold_(threshold), groups_(groups), wordings_(wordings) {}

  void add(std::int64_t i, std::int64_t j) {
    if (wordings_.find(i) == wordings_.find(j)) return;
    pairs_.emplace_back(i, j);
    if (pairs_.size() >= kPairs) compare();
  }
  void compare() {
    std::sort(pairs_.begin(), pairs_.end());
    pairs_.erase(std::unique(pairs_.begin(), pairs_.end()), pairs_.end());
    std::vector<char> near(pairs_.size()), same(pairs_.size());
    for (std::size_t k = 0; k < pairs_.size(); ++k) {
      near[k] = groups_.find(pairs_[k].first) == groups_.find(pairs_[k].second);
    }
    parallel_for(std::ssize(pairs_), 64, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t k = begin; k < end; ++k) {
        const std::string_view a = text_[pairs_[k].first], b = text_[pairs_[k].second];
        near[k] = near[k] || gram_jaccard(a, b) >= threshold_;
        same[k] = near[k] && same_wording(a, b);
      }
    });
    for (std::size_t k = 0; k < pairs_.size(); ++k) {
      if (near[k]) groups_.join(pairs_[k].first, pairs_[k].second);
      if (same[k]) wordings_.join(pairs_[k].first, pairs_[k].second);
    }
    pairs_.clear();
  }

 private:
  const TextArena& text_;
  const double threshold_;
  Components &groups_, &wordings_;
  std::vector<std::pair<std::int64_t, std::int64_t>> pairs_;
};

}  // namespace

DuplicateGroups find_text_duplicates(const TableRecords& records, double threshold,
                                     const std::vector<Link>& links) {
  const std::int64_t n = records.size();
  Components components(n), wordings(n);
  DuplicateGroups groups;
  groups.exact.assign(static_cast<std::size_t>(n), 0);
  {
    std::unordered_map<ContentHash, std::int64_t, FirstWord> first;
    first.reserve(static_cast<std::size_t>(n));
    for (std::int64_t i = 0; i < n; ++i) {
      const auto [at, added] = first.emplace(records.content[i], i);
      if (added) continue;
      groups.exact[i] = 1;
      components.join(at->second, i);
      wordings.join(at->second, i);
    }
  }
  if (records.has_text) {
    NearPairs pairs(records.text, threshold, components, wordings);
    for_each_candidate(records.bands, groups.exact,
                       [&](std::int64_t i, std::int64_t j) { pairs.add(i, j); });
    pairs.compare();
    join_short_copies(records, groups.exact, components, wordings);
  }
  for (const Link& link : links) {
    components.join(link.a, link.b);
    wordings.join(link.a, link.b);
  }
  for (std::int64_t i = 0; i < n; ++i) {
    groups.group.push_back(components.find(i));
    groups.wording.push_back(wordings.find(i));
    groups.count += groups.group.back() == i;
  }
  return groups;
}

}  // namespace athanor::distill
