// Records for a person to judge, and what the person said.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>

#include "distill/refine/table_refine.h"

namespace athanor::distill {

// review.csv and review.html in options.out: the options.review records whose verdict is most
// likely to change what refine decided, likeliest first: P = 1 - score for a kept record, the score
// for one dropped by its score. Records that a verdict has decided are left out, so that queues
// follow each other. Columns: row, id, decision, reason, score, label, suggested_label, content
// (normalised), verdict (empty, to be filled with keep or drop).
void write_review(const TableRefineOptions& options, const TableRefineResult& result);

// The verdicts in a filled-in review.csv; an empty one says nothing. Errors are bad_input, naming
// the line: another word than keep and drop, a row outside [0, records), a row told twice.
std::map<std::int64_t, Verdict> read_verdicts(const std::filesystem::path& path,
                                              std::int64_t records);

}  // namespace athanor::distill
