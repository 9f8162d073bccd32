// What became of the records of each slice of a table.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "distill/refine/table_records.h"

namespace athanor::distill {

struct Slice {
  std::string name;
  std::int64_t total = 0, kept = 0;  // records
};
// The records parted by one thing: the values of a category column ("" = empty), a quarter of the
// stamps each, or the input files.
struct Slicing {
  std::string by;
  std::vector<Slice> slices;  // of a column by number of records, the rest in order
};

// The records that have a label by their classes, in the classes' order. `keep`: one entry a
// record.
Slicing slices_by_class(const TableRecords& records, const std::vector<char>& keep);

// Counts while the records are read one by one. Columns of the id, the label, texts and other types
// than category part nothing; nor do columns of one value, or of more than 40.
class SliceCounts {
 public:
  // All three must outlive this. `keep`: one entry a record.
  SliceCounts(const TableInput& input, const TableRecords& records, const std::vector<char>& keep);

  void record(std::int64_t row, const data::Record& record);
  std::vector<Slicing> slicings() const;

 private:
  struct Column {
    std::size_t place = 0;
    std::unordered_map<std::string, Slice> of_value;
    bool too_many = false;
  };
  void by_file(std::vector<Slicing>& out) const;
  void by_time(std::vector<Slicing>& out) const;

  const TableInput& in_;
  const TableRecords& r_;
  const std::vector<char>& keep_;
  std::vector<Column> columns_;
};

}  // namespace athanor::distill
