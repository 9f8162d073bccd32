// Training, validation and test sets of the kept records that do not leak into each other.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "distill/refine/table_features.h"
#include "distill/refine/table_records.h"

namespace athanor::distill {

inline constexpr std::array<std::string_view, 3> kSplitNames{"train", "validation", "test"};

struct SplitOptions {
  std::array<double, 3> shares{};  // of kSplitNames; their sum is 1
  bool by_time = false;            // oldest records train, latest test; else in random order
};

// The split (0 to 2) of each kept record, -1 for the others. Records of one value of the group
// column (TableInput::group), and of one group of copies, share a split; by time such a group
// counts with its latest stamp, and equal stamps stay together. Groups fill the first split until
// it has its share, then the next. Throws usage where shares are no shares, and by time without a
// time column or for a kept record without a stamp.
std::vector<std::int8_t> split_records(const TableRecords& records, const DuplicateGroups& copies,
                                       const std::vector<char>& keep, const SplitOptions& options,
                                       std::uint64_t seed);

}  // namespace athanor::distill
