// Stage 1 as a product on tables: reads, scores, selects, and writes a directory.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "distill/refine/overlap.h"
#include "distill/refine/similar_records.h"
#include "distill/refine/table_selection.h"
#include "distill/refine/table_slices.h"
#include "distill/refine/table_split.h"

namespace athanor::distill {

struct TableRefineOptions {
  TableInput input;
  FeatureOptions features;
  SelectionOptions selection;
  std::filesystem::path out;
  // Directory of a finished refinement of the first records, whose verdicts stay; "" = none.
  std::filesystem::path extend;
  bool repair = false;  // write repaired.<format> with the suggestions applied
  std::vector<std::filesystem::path> against;  // records that overlap these files are dropped
  std::int64_t review = 0;                     // length of the queue in review.csv and review.html
  std::filesystem::path reviewed;              // a review.csv with verdicts
  std::int64_t similar = 0;           // records in similar.csv for each record, 0 = no such file
  std::optional<SplitOptions> split;  // golden-train.<format> and its like, too
  double least_stage_seconds = 1;     // stages that took less are not kept for a run after a kill
};

struct TableRefineResult {
  TableRecords records;
  TableFeatures features;
  TableSelection selection;
  std::vector<Overlap> overlaps;
  std::vector<SimilarRecord> similar;
  std::vector<std::int8_t> split;  // of split_records(), empty without
  std::vector<Slicing> slicings;
  double seconds = 0;
  std::string summary;  // summary.json's text
};

// Writes into `out` (created): scores.csv, golden.<format> (kept records byte for byte, with the
// header), dropped.<format> with a reason, rejected.csv and rejected.<format> where there are
// rejected records, repairs.csv where single fields are at fault, groups.csv of copies, links.csv,
// overlap.csv, review.csv and review.html, similar.csv, golden-train.<format>,
// golden-validation.<format> and golden-test.<format> where the options ask for them, schema.toml,
// summary.json, report.html. Each appears whole or not at all. Until it is done, what was costly is
// kept in unfinished/: the same call after a kill takes it over and writes the same bytes (but for
// the time taken). Throws TableInterrupted when input.stop says so, and before it returns checks
// that kept + dropped + rejected = read.
TableRefineResult refine_table(const TableRefineOptions& options, ProgressSink& progress);

// report.html of a finished refinement.
std::string render_table_report(const TableRefineOptions& options, const TableRefineResult& result);

}  // namespace athanor::distill
