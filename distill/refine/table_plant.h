// Planting known defects in a clean table, so that a refinement can be measured honestly: only the
// evaluator sees the manifest.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "distill/refine/plant.h"
#include "distill/refine/table_records.h"

namespace athanor::distill {

struct TablePlantOptions {
  // size (0 = as many as the clean records allow), effective, mixture, defects, trusted, seed.
  PlantOptions plan;
  std::string time_column = "planted_time";     // added where stamps are planted
  std::string conflict_column, conflict_value;  // what rule_conflict writes
};

// TOML with the keys size, effective, mixture ("easy", "standard", "hard", or a table with labels,
// duplicates, rest), defects, trusted, seed, time_column, conflict_column, conflict_value. Without
// defects: all kinds of a text table but rule_conflict, or all kinds of images. Errors are usage,
// naming the file.
TablePlantOptions load_table_defects(const std::filesystem::path& path, bool images = false);

struct PlantedTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;     // the pool
  Manifest manifest;                              // one row a record of the pool
  std::vector<std::vector<std::string>> trusted;  // clean records that are no part of the pool
  std::int64_t copies = 0;  // records of the input left out: an earlier one has the same text
};

// Kinds, on the text columns and the label of `clean.schema`:
//   flip, confuse, stale, duplicate, near_duplicate   as of plant_defects(); a near duplicate has
//                by turns another case and a mark at its end, one wrong letter, or one word twice
//   contradiction  an exact copy with another label
//   missing        by turns an empty text, "N/A", no label
//   truncation     the first 20% to 50% of the characters
//   noise          30% of the characters replaced by random ones
//   out_of_domain  by turns the text backwards, a line of a log, words of random letters
//   rule_conflict  conflict_value in conflict_column
// A tenth of the broken records and copies carry a wrong label besides. The order is random. Of
// records of one normalised text the first alone takes part.
//
// Errors are usage: no label or text, fewer than two classes, too few clean records, rule_conflict
// without a column.
PlantedTable plant_table(const TableInput& clean, const TablePlantOptions& options);

// pool.csv, trusted.csv, schema.toml, and manifest/manifest.csv, apart from the data.
void write_planted_table(const std::filesystem::path& out, const PlantedTable& planted,
                         const data::TableSchema& schema, const TablePlantOptions& options);

}  // namespace athanor::distill
