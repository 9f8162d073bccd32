#include "cli/text_input.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <optional>

#include "data/record_reader.h"
#include "data/text/text_lines.h"
#include "data/text/unicode.h"
#include "tensor/base/error.h"

namespace athanor::cli {
namespace {

bool is_table(const std::string& path) {
  std::filesystem::path name = std::filesystem::path(path).filename();
  if (name.extension() == ".gz") name = name.stem();
  const std::string end = name.extension().string();
  constexpr const char* kTables[] = {".csv", ".tsv", ".tab", ".jsonl", ".ndjson"};
  return std::any_of(std::begin(kTables), std::end(kTables),
                     [&](const char* table) { return end == table; });
}

std::size_t column_of(const TextInput& input, const std::vector<std::string>& columns) {
  const std::string wanted = input.column.empty() ? "text" : input.column;
  const auto at = std::find(columns.begin(), columns.end(), wanted);
  if (at != columns.end()) return static_cast<std::size_t>(at - columns.begin());
  if (input.column.empty() && columns.size() == 1) return 0;
  std::string list;
  for (const std::string& column : columns) list += (list.empty() ? "" : ", ") + column;
  raise(ErrorKind::usage, "--column: expected one of ", list, " (columns of ", input.path,
        "), got ", wanted);
}

class Blocks {
 public:
  Blocks(std::size_t size, const std::function<void(const std::vector<std::string>&)>& take)
      : size_(size), take_(take) {}
  void add(std::string_view text) {
    texts_.emplace_back(text);
    if (texts_.size() == size_) flush();
  }
  void flush() {
    if (!texts_.empty()) take_(texts_);
    texts_.clear();
  }

 private:
  std::size_t size_;
  const std::function<void(const std::vector<std::string>&)>& take_;
  std::vector<std::string> texts_;
};

void read_table(const TextInput& input, Blocks& blocks) {
  data::RecordReader reader(input.path, data::dialect_of_path(input.path));
  const std::size_t column = column_of(input, reader.columns());
  for (data::Record record; reader.next(record);) {
    if (record.problem) {
      raise(ErrorKind::bad_input, input.path, ": line ", record.line, ": ", record.problem->field,
            ": expected ", record.problem->expected, ", found ", record.problem->found);
    }
    const std::string_view text = record.fields[column];
    if (data::first_invalid_utf8(text) != std::string_view::npos) {
      raise(ErrorKind::bad_input, input.path, ": line ", record.line, ": ",
            reader.columns()[column], ": expected UTF-8, found other bytes");
    }
    blocks.add(text);
  }
}

}  // namespace

void add_text_input(CLI::App& command, TextInput& input) {
  command.add_option("input", input.path, "A text file (one text a line), or CSV, TSV, JSONL")
      ->required();
  command.add_option("--column", input.column, "Column of a table with the texts");
}

void for_each_text_block(const TextInput& input, std::size_t block,
                         const std::function<void(const std::vector<std::string>&)>& take) {
  Blocks blocks(block, take);
  if (is_table(input.path)) {
    read_table(input, blocks);
  } else {
    if (!input.column.empty()) {
      raise(ErrorKind::usage, "--column: expected a table as input, got ", input.path);
    }
    data::TextLines lines(input.path);
    for (std::string line; lines.next(line);) blocks.add(line);
  }
  blocks.flush();
}

}  // namespace athanor::cli
