// Record linkage on several columns: which records speak of the same thing, however they spell it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "distill/refine/table_records.h"

namespace athanor::distill {

struct LinkOptions {
  std::vector<std::string> fields;  // columns that are compared
  // Least mean similarity of the fields; none: the pairs decide (link_mixture.h).
  std::optional<double> threshold;
  // Links go between different files only, and each record has at most one (best pairs first).
  bool across_files = false;
};

struct Link {
  std::int64_t a = 0, b = 0;  // rows, a < b
  double similarity = 0;      // mean over the fields that both have
  double posterior = 1;       // P(same) by link_mixture.h; 1 with a threshold
};

// Pairs of records that share a word which at most 60 records have, and whose fields are similar:
// by their mean over the fields that both have, or by what the similarities of all such pairs say.
// The similarity of   numbers below 10,000   exp(-|x - y|)
//   all others             cosine of the tf-idf weights of the 3-grams of their words
// Ordered by a, then b. Errors are usage: a field that is no column, fewer than two files with
// across_files.
std::vector<Link> link_records(const TableInput& input, const TableRecords& records,
                               const LinkOptions& options);

}  // namespace athanor::distill
