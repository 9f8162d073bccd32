// A finished refinement that one of a table with more records at its end goes on from.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "distill/refine/score_model.h"
#include "distill/refine/table_labels.h"
#include "distill/run/stage_store.h"

namespace athanor::distill {

// What was said of the table's first records.
struct EarlierRun {
  std::vector<char> keep;
  std::vector<std::string> reason;
  std::vector<FeatureRow> row;
  std::vector<double> score, consistency, diversity, weight3, weight4;
  std::optional<LabelEvidence> labels;

  std::int64_t size() const { return std::ssize(keep); }
};

// The first line of scores.csv, with its line end.
std::string scores_header();

// state.safetensors: the models' answers, and what tells whether other records begin with these and
// whether they are judged in the same way. `settings` as of StageStore.
void save_state(const std::filesystem::path& out, const TableRecords& records,
                const std::optional<LabelEvidence>& labels, StageInputs settings);

// Of the directory that a refinement left. Errors are bad_input: a file that is missing or is no
// such file; a state of another format; records that do not begin with those of the earlier run, in
// their order, or are not more; a class that it had no record of. usage: other settings.
EarlierRun load_earlier_run(const std::filesystem::path& directory, const TableRecords& records,
                            const StageInputs& settings);

}  // namespace athanor::distill
