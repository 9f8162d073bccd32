// Which records of a table are kept, and why the others are not.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "distill/refine/dictionary.h"
#include "distill/refine/table_features.h"

namespace athanor::distill {

// What a reviewer said about a record.
enum class Verdict { keep, drop };

// At most one of budget, retention and effective is set; without them the threshold decides.
struct SelectionOptions {
  double threshold = .5;               // least score
  std::optional<std::int64_t> budget;  // records at most, by score
  std::optional<double> retention;     // this share of the records that pass the checks, by score
  std::optional<double> effective;     // as many as let the mean score stay at least this
  bool stratify = true;                // budget and retention: classes keep their proportions
  std::vector<std::string> overlap;    // one a record: how it overlaps another table, "" = not
  std::map<std::int64_t, Verdict> verdicts;  // of a reviewer, by row
  // Whose verdicts on the first records stay, a reviewer's before them; budget, retention and
  // effective speak of the others. Or null.
  const EarlierRun* earlier = nullptr;
};

// Reasons, the first that applies: review (a verdict of drop), overlap:KIND, missing:COLUMN (what a
// record says, or its label), FAULT:COLUMN (a picture, sound or vector that cannot be used; FAULT
// is a CellFault: file, undecodable, type, width, not_finite, zero), surface:CHECK (LookFault,
// TextFault), rule:NAME (rules with action drop), duplicate, near_duplicate, label (the
// confident joint speaks against it and the score is below the threshold), score:FEATURE (the
// feature that lowered it most), budget.
struct TableSelection {
  std::vector<char> keep;
  Dictionary reasons;                // 0 = "", kept
  std::vector<std::int32_t> reason;  // one a record
  std::int64_t kept = 0;
  std::int64_t saved = 0;  // records kept because their class would have lost all
};

// Of a group of copies the record with the best score among those that pass the checks stands for
// all. No class that had a record which passes the checks dies out.
TableSelection select_records(const TableRecords& records, const TableFeatures& features,
                              const ScoreModel& model, const SelectionOptions& options);

}  // namespace athanor::distill
