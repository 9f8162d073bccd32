// Planting known defects in a clean table, so that a refinement can be measured honestly: only the
// evaluator sees the manifest.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "distill/refine/media_plant.h"
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
// defects: all kinds of a table with texts but rule_conflict, or all kinds of images, which are
// those of sounds. Errors are usage, naming the file.
TablePlantOptions load_table_defects(const std::filesystem::path& path, bool texts = true);

struct PlantedTable {
  std::vector<std::string> columns;
  // The pool. Fields of pictures and sounds are paths of the clean files.
  std::vector<std::vector<std::string>> rows;
  // [rows] what is to be done to picture and sound; empty where there are no such columns.
  std::vector<std::optional<MediaChange>> changes;
  Manifest manifest;                              // one row a record of the pool
  std::vector<std::vector<std::string>> trusted;  // clean records that are no part of the pool
  std::int64_t copies = 0;  // records of the input left out: an earlier one says the same
};

// Kinds, on the texts, pictures, sounds and the label of `clean.schema` (what is done to pictures
// and sounds beside: media_plant.h):
//   flip, confuse, stale, duplicate, near_duplicate   as of plant_defects(); a near duplicate has
//                by turns another case and a mark at its end, one wrong letter, or one word twice
//   contradiction  an exact copy with another label
//   missing        by turns an empty text, "N/A", no label; without a
//                text a block or silence
//   truncation     the first 20% to 50% of the characters
//   noise          30% of the characters replaced by random ones
//   out_of_domain  by turns the text backwards, a line of a log, words of random letters
//   rule_conflict  conflict_value in conflict_column
// A tenth of the broken records and copies carry a wrong label besides. The order is random. Of
// records of one content (normalised texts, bytes of files) the first alone takes part.
//
// Errors are those of read_clean_table, and usage for too few clean records, rule_conflict without
// a column, truncation without a text.
PlantedTable plant_table(const TableInput& clean, const TablePlantOptions& options);

// pool.csv, trusted.csv, schema.toml, and manifest/manifest.csv, apart from the data. With pictures
// or sounds their files, too, of all records (write_media), so that `out` stands alone.
void write_planted_table(const std::filesystem::path& out, const PlantedTable& planted,
                         const data::TableSchema& schema, const TablePlantOptions& options);

}  // namespace athanor::distill
