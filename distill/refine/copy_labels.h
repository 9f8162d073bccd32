// Feature 3 of a table: rules, and what the labels of copies say about each other.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "distill/refine/label_trust.h"
#include "distill/refine/table_records.h"

namespace athanor::distill {

// Per record 1 where, of the labels that its copies (`group`) carry, its own is the most probable
// by the posterior [records, classes] that its `sound` ones share: a wrong label that was copied
// more often does not win by number.
std::vector<char> most_probable_of_copies(const TableRecords& records,
                                          std::span<const std::int64_t> group,
                                          std::span<const char> sound,
                                          const ProbabilityTable& posterior);

// Share of the applicable rules that hold; NaN where none applies. Of records with labels one more
// applies to those that have copies, which `agrees` says of: that its label is theirs.
std::vector<double> rule_consistency(const TableRecords& records,
                                     std::span<const std::int64_t> group,
                                     std::span<const char> agrees);

}  // namespace athanor::distill
