// Which other records of a table say nearly the same in other words: candidates for a person, where
// copies (uniqueness.h) and links (linkage.h) are decisions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "distill/refine/table_records.h"

namespace athanor::distill {

struct SimilarRecord {
  std::int64_t row = 0, other = 0;
  double similarity = 0;  // in (0, 1]
};

// Terms of a text, in lower case: each word (a run of letters, digits and _), and the parts of one
// with inner capitals or digits, so that "NameNode" meets "name node"; each Han, Hiragana or
// Katakana character and each pair of neighbours.
std::vector<std::string> similarity_terms(std::string_view text);

// For each record up to k >= 1 others of the greatest similarity, best first, the lower row among
// equals: ordered by row. Similarity = t (c(all text) + c(title) / 4) / (5 / 4), c = cosine of
// tf-idf weights (1 + ln tf) (ln((1 + n) / (1 + df)) + 1), title = the first text column where
// there are several, else left out. t = (1 + 2 * 2^(-|time - time'| / h)) / 3 where the table has a
// time column, h = half of the median age before the latest record, |time - time'| = h where a
// stamp is not known; else 1. Terms of more than 4,096 records count as stop words, which bounds
// the work by records x terms x 4,096. Reads the input again. Throws usage without a text column or
// for k < 1.
std::vector<SimilarRecord> similar_records(const TableInput& input, const TableRecords& records,
                                           std::int64_t k);

}  // namespace athanor::distill
