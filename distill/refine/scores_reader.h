// What a refinement wrote to scores.csv, row by row, for one that extends it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "data/record_reader.h"

namespace athanor::distill {

// Columns row, id, keep, reason, score and numbers behind them. Throws Error (bad_input), naming
// file and line: on a damaged row, and where a number is expected and something else stands.
class ScoresReader {
 public:
  explicit ScoresReader(const std::filesystem::path& path) : path_(path), reader_(path, {}) {}

  const data::RecordReader& file() const { return reader_; }
  // Throws Error (bad_input), quoting the header.
  [[noreturn]] void refuse_header() const;
  bool next();

  // Of the row that next() read. The views live until its next call.
  bool kept() const { return record_.fields[2] == "1"; }
  std::string_view reason() const { return record_.fields[3]; }
  double score() const { return number(4); }
  // The number in column k, kNotApplicable where that is empty.
  double number(std::size_t k) const;

 private:
  std::filesystem::path path_;
  data::RecordReader reader_;
  data::Record record_;
};

}  // namespace athanor::distill
