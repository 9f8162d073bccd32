// Records of CSV, TSV and JSONL files, one by one, with their bytes as they stand in the file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace athanor::data {

enum class TableFormat { csv, tsv, jsonl };
std::string_view name_of(TableFormat format);  // "csv", "tsv", "jsonl"

// How a file spells its records.
struct TableDialect {
  TableFormat format = TableFormat::csv;
  char delimiter = ',';
  // Fields may be quoted as in RFC 4180. Off for TSV, where IANA's text/tab-separated-values knows
  // no quotes and texts hold lone ones.
  bool quoted = true;
  bool header = true;                // the first record names the columns
  bool latin1 = false;               // ISO 8859-1 instead of UTF-8
  std::vector<std::string> columns;  // names where there is no header; for JSONL the keys wanted
};

// By the ending: .csv, .tsv, .tab, .jsonl, .ndjson, each also with .gz. Throws usage for others.
TableDialect dialect_of_path(const std::filesystem::path& path);

// Why a record is not one of the table.
struct RecordProblem {
  std::string field;  // column name, or what part of the record
  std::string expected;
  std::string found;
};

// Views live until the next call of next().
struct Record {
  std::int64_t line = 0;     // of its first byte, from 1
  std::uint64_t offset = 0;  // of its first byte in the (decompressed) file
  std::uint64_t bytes =
      0;  // its length with the line end; raw is shorter when it is over the limit
  std::string_view raw;
  std::vector<std::string_view> fields;  // decoded, as many as columns; JSON null and absent: empty
  std::optional<RecordProblem> problem;  // set: fields are not to be used
};

struct RecordLimits {
  std::size_t max_record = std::size_t{16} << 20;  // bytes; longer ones are a problem, not an error
  std::size_t max_columns = 10'000;
  int max_depth = 64;  // of JSON
};

// Memory: two records of max_record. Errors (bad_input, naming the file): what ByteStream throws;
// UTF-16; a header with NUL, invalid UTF-8 or a repeated name; a JSONL file whose first 1,000
// records hold no object. Everything else is a problem of one record, after which reading goes on:
// after wrong quoting at the next line, else behind the record.
//
// Nested JSON objects become columns `a.b`; an array is one field with its JSON text.
class RecordReader {
 public:
  RecordReader(const std::filesystem::path& path, TableDialect dialect, RecordLimits limits = {});
  ~RecordReader();
  RecordReader(RecordReader&&) noexcept;

  const std::vector<std::string>& columns() const;
  // The bytes of the header record with byte order mark and line end, "" where there is none.
  std::string_view header() const;
  // The next record, or false at the end. Blank lines are no records.
  bool next(Record& record);

  std::int64_t blank_lines() const;
  std::uint64_t file_position() const;  // as of ByteStream, for progress
  std::uint64_t file_size() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace athanor::data
