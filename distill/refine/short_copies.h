// Near copies among short texts, whose 5-grams a single typing error changes too much.
#pragma once

#include <cstdint>
#include <span>

#include "distill/refine/components.h"
#include "distill/refine/table_records.h"

namespace athanor::distill {

// Joins, in both, texts of up to 64 characters in words that
//   have the same words in the same order, 4 characters in all at least (text_units.h: but for
//   punctuation, symbols and words that repeat the one before), or
//   have 8 characters and two words in common at least and are one typing error apart
//   (within_errors) that makes a word of 4 characters or more which no record of another group has:
//   "is the musbum open" is a copy of "is the museum open", but "a sad film" is none of "a bad
//   film", and "Jon Smith" none of "John Smith".
// Groups are those found before, of other copies. Rows flagged in `skip` are left out. Candidates
// share two thirds of their characters, at their beginning, at their end or at both.
void join_short_copies(const TableRecords& records, std::span<const char> skip, Components& groups,
                       Components& wordings);

}  // namespace athanor::distill
