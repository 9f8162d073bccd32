// Records whose labels somebody vouches for, beside a table whose labels nobody does.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "distill/refine/label_task.h"
#include "distill/refine/table_records.h"

namespace athanor::distill {

struct TrustedFiles {
  std::filesystem::path records;  // with the table's label and text columns; "" = none
  std::filesystem::path
      embeddings;  // .npy [records, width]: their vectors, where the table has some
};

struct TrustedSet {
  std::vector<std::int64_t> label;  // by the table's numbers
  TokenRows tokens;
  Tensor embeddings;              // f32 [size, width], or undefined
  std::vector<Look> looks;        // RecordMedia::main_looks()
  std::vector<std::int64_t> row;  // of the table, first one of the same content; -1 = none

  std::int64_t size() const { return std::ssize(label); }
  std::int64_t overlap() const;  // records that the table has, too
  // What there is to say of them where the first `earlier` records of the table have verdicts that
  // stay.
  std::string note(std::int64_t earlier) const;
};

// The file may lack the table's id and time columns, and have others where the table has text.
// `width`: of the vectors given beside the table, 0 where none are. A table with pictures, sounds
// or embeddings in it needs these columns in the file, too: `embeddings` are then vectors_of()
// them. Errors are bad_input, naming file and record: what RecordReader and load_vectors() raise;
// columns that are missing or stand in another order; a record without label or text, or that
// cannot be read; a label that no record of the table has; two records of one content with
// different labels; vectors of another width. usage: a table without labels; vectors on one side
// alone, or beside columns that hold some.
TrustedSet read_trusted(const TableInput& table, const TableRecords& records,
                        const TrustedFiles& files, std::int64_t width, ProgressSink& progress);

// What is known of the table's records, with those of `trusted` (or null) behind them.
LabelTask label_task(const TableRecords& records, const Tensor& embeddings,
                     const std::vector<std::int64_t>& group, const std::vector<char>& sound,
                     const TrustedSet* trusted);

}  // namespace athanor::distill
