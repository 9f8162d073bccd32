// What two tables have in common: a training set must not hold what the test set asks.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

#include "distill/refine/table_records.h"

namespace athanor::distill {

enum class OverlapKind : std::uint8_t { exact, near, contained };
std::string_view name_of(OverlapKind kind);

struct Overlap {
  std::int64_t row = 0;    // of the first table
  std::int64_t other = 0;  // one row of the second table
  OverlapKind kind = OverlapKind::exact;
};

// For each row of `records` that overlaps: the same content; texts whose 5-grams have at least this
// Jaccard index; or one normalised text inside the other, at least 24 bytes long. The first kind
// that applies counts. Ordered by row. Throws usage when the tables differ in their columns.
std::vector<Overlap> find_overlaps(const TableRecords& records, const TableRecords& other,
                                   double near);

// CSV: row,other,kind.
void write_overlaps(const std::filesystem::path& path, const std::vector<Overlap>& overlaps);

}  // namespace athanor::distill
