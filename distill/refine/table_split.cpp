#include "distill/refine/table_split.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "distill/refine/components.h"
#include "distill/refine/feature_values.h"
#include "tensor/base/error.h"
#include "tensor/random.h"

namespace athanor::distill {
namespace {

// Records that must not be parted, and where they stand in the order of filling.
struct Unit {
  double place = -std::numeric_limits<double>::infinity();
  std::vector<std::int64_t> rows;
};

std::vector<Unit> units_of(const TableRecords& records, const DuplicateGroups& copies,
                           const std::vector<char>& keep, const SplitOptions& options,
                           std::uint64_t seed) {
  const std::int64_t n = records.size();
  Components components(n);
  std::vector<std::int64_t> first(static_cast<std::size_t>(records.group_names.size()), -1);
  for (std::int64_t i = 0; i < n; ++i) {
    if (!keep[i]) continue;
    components.join(copies.group[i], i);
    if (records.group.empty() || records.group[i] < 0) continue;
    std::int64_t& other = first[records.group[i]];
    if (other < 0) other = i;
    components.join(other, i);
  }
  std::vector<std::int64_t> number(static_cast<std::size_t>(n), -1);
  std::vector<Unit> units;
  for (std::int64_t i = 0; i < n; ++i) {
    if (!keep[i]) continue;
    std::int64_t& at = number[components.find(i)];
    if (at < 0) {
      at = std::ssize(units);
      units.emplace_back();
      if (!options.by_time) {
        units.back().place = philox(seed, static_cast<std::uint64_t>(i), 23)[0];
      }
    }
    Unit& unit = units[at];
    unit.rows.push_back(i);
    if (!options.by_time) continue;
    if (!is_applicable(records.time[i])) {
      raise(ErrorKind::usage, "--split-time: expected a time stamp in each kept record, row ", i,
            " has none");
    }
    unit.place = std::max(unit.place, records.time[i]);
  }
  std::stable_sort(units.begin(), units.end(),
                   [](const Unit& a, const Unit& b) { return a.place < b.place; });
  return units;
}

}  // namespace

std::vector<std::int8_t> split_records(const TableRecords& records, const DuplicateGroups& copies,
                                       const std::vector<char>& keep, const SplitOptions& options,
                                       std::uint64_t seed) {
  const double sum = std::accumulate(options.shares.begin(), options.shares.end(), 0.);
  const bool negative = std::any_of(options.shares.begin(), options.shares.end(),
                                    [](double share) { return !(share >= 0); });
  if (negative || std::abs(sum - 1) > 1e-6) {
    raise(ErrorKind::usage, "--split: expected shares of at least 0 with sum 1, got sum ", sum);
  }
  if (options.by_time && !records.has_time) {
    raise(ErrorKind::usage, "--split-time: expected a time column, found none");
  }
  const std::vector<Unit> units = units_of(records, copies, keep, options, seed);
  const auto total = static_cast<double>(std::count(keep.begin(), keep.end(), 1));
  std::vector<std::int8_t> split(static_cast<std::size_t>(records.size()), -1);
  int into = 0;
  double placed = 0, limit = options.shares[0] * total;
  for (std::size_t u = 0; u < units.size(); ++u) {
    const bool parts = u == 0 || !options.by_time || units[u].place > units[u - 1].place;
    // A unit goes where its middle lies.
    while (parts && into < 2 && placed + double(units[u].rows.size()) / 2 > limit + 1e-9) {
      limit += options.shares[++into] * total;
    }
    for (const std::int64_t row : units[u].rows) split[row] = static_cast<std::int8_t>(into);
    placed += static_cast<double>(units[u].rows.size());
  }
  return split;
}

}  // namespace athanor::distill
