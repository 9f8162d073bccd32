// One reading of a table: what stage 1 keeps of each record in memory.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "data/record_reader.h"
#include "data/table_schema.h"
#include "distill/refine/cell_issues.h"
#include "distill/refine/content_hash.h"
#include "distill/refine/dictionary.h"
#include "distill/refine/minhash.h"
#include "distill/refine/record_media.h"
#include "distill/refine/table_rules.h"
#include "distill/refine/text_surface.h"
#include "distill/refine/token_rows.h"
#include "distill/run/progress.h"

namespace athanor::distill {

struct TableInput {
  std::vector<std::filesystem::path> files;  // of the same columns; one table in this order
  data::TableSchema schema;
  std::filesystem::path schema_folder;  // where relative paths in the schema start
  // A malformed record is an error instead of a rejected one.
  bool strict = false;
  std::string group;  // column whose records must not be parted by a split, "" = none
  // Asked every few thousand records; true = stop with Interrupted.
  std::function<bool()> stop;
};

// Thrown where TableInput::stop said so.
struct TableInterrupted {};

struct RejectedRecord {
  std::size_t file = 0;
  std::int64_t line = 0;
  std::uint64_t offset = 0, bytes = 0;
  data::RecordProblem problem;
};

// Rows count the records that could be read, from 0, over all files.
struct TableRecords {
  std::vector<std::string> columns;
  std::vector<std::int64_t> rows_of_file;
  std::vector<RejectedRecord> rejected;
  std::int64_t blank_lines = 0;

  bool has_text = false, has_label = false, has_time = false;
  Dictionary label_names;
  std::vector<std::int64_t> label;  // -1 = absent
  Dictionary group_names;
  std::vector<std::int64_t> group;   // -1 = absent; empty without TableInput::group
  std::vector<double> time;          // seconds since 1970, NaN = none that can be read
  std::vector<double> completeness;  // weighted share of good required fields; NaN = none asked
  // Column of a text or label that is absent, of a picture, sound or vector that is absent where
  // it is asked for or cannot be used; -1 = none. And what is wrong with it.
  std::vector<std::int32_t> missing;
  std::vector<CellFault> missing_fault;
  std::vector<TextSurface> surface;  // where has_text; check_corpus() is still to come
  std::vector<ContentHash> content;  // 128-bit hash of what the record says
  std::vector<BandKeys> bands;       // where has_text
  TextArena text;                    // normalised content
  TokenRows tokens;                  // of `text`
  RecordMedia media;
  std::vector<RuleCheck> checks;
  std::vector<CellIssue> issues;  // ordered by row, then column

  std::int64_t size() const { return std::ssize(content); }
};

// What a record says = its text columns, its picture and its sound; without any of these its
// embedding; without that, too, all columns but id, label and time.
// Memory: about 350 bytes a record beside its normalised content (the first 64 KiB of it), 1.1 KB
// for a picture and for a sound, up to 4 KB more for a small picture of a set (picture_set.h), four
// bytes for each number of its embedding.
// Errors: those of RecordReader, check_schema and TableRules; bad_input for files whose columns
// differ, for an input without a record, and, with `strict`, for the first malformed record.
TableRecords read_table(const TableInput& input, ProgressSink& progress);

// Reads the files again and calls use(row, record) for each record that read_table() counted, and
// rejected(index, record) for the others. Throws runtime when the files have changed.
void for_each_record(const TableInput& input, const TableRecords& records,
                     const std::function<void(std::int64_t, const data::Record&)>& use,
                     const std::function<void(std::size_t, const data::Record&)>& rejected);

}  // namespace athanor::distill
