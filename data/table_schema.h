// What the columns of a table mean: their types, what a good value is, and the rules between them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/record_reader.h"

namespace athanor::data {

// image, audio: the path of a PNG or JPEG, of a WAV or another sound file (audio.h). embedding: a
// vector as parse_vector() reads it.
enum class ColumnType { text, category, number, timestamp, image, audio, embedding };
std::string_view name_of(ColumnType type);
// Of the last three: what they hold is looked at, not read as a value. A schema has at most one
// column of each.
bool is_media(ColumnType type);

struct ColumnSpec {
  std::string name;
  ColumnType type = ColumnType::category;
  bool required = false;
  double weight = 1;                                      // in the completeness of a record
  double min = -std::numeric_limits<double>::infinity();  // of a number
  double max = std::numeric_limits<double>::infinity();
  std::vector<std::string> sentinels;     // besides the schema's
  std::vector<std::string> time_formats;  // of a timestamp; empty: the usual ones
  // Numbers in an embedding; 0: as many as most of the first 2,000 records have.
  std::int64_t width = 0;
};

enum class RuleKind {
  expression,
  regex,
  range,
  values,
  unique,
  foreign_key,
  functional_dependency
};
std::string_view name_of(RuleKind kind);

struct RuleSpec {
  std::string name;
  RuleKind kind = RuleKind::expression;
  bool drop = true;        // a record that breaks the rule is dropped; else it only scores lower
  std::string expression;  // expression: true where the record is right
  std::vector<std::string> columns;  // regex, range, values, unique, foreign_key
  std::string pattern;               // regex: the whole value must match
  double min = -std::numeric_limits<double>::infinity();  // range
  double max = std::numeric_limits<double>::infinity();
  std::vector<std::string> values;       // values
  std::string file, key;                 // foreign_key: a column of another table
  std::vector<std::string> determinant;  // functional_dependency: these values fix ...
  std::vector<std::string> dependent;    // ... the value of each of these
  std::string source;  // functional_dependency: the column that says who states it, "" = none
};

struct TableSchema {
  std::optional<TableFormat> format;
  std::optional<bool> header;
  std::optional<bool> quoted;
  char delimiter = 0;  // 0: by format
  bool latin1 = false;
  std::vector<std::string> names;  // of the columns where the file has no header

  // Where relative paths of images and sounds start, itself relative to the schema's file; "": the
  // folder of the table that they stand in.
  std::string folder;
  std::string id, label, time;    // columns, "" = none
  std::vector<std::string> text;  // columns whose content is what a record says
  double reference_time = std::numeric_limits<double>::quiet_NaN();  // NaN: the latest stamp
  std::vector<std::string> sentinels = default_sentinels();
  std::vector<ColumnSpec> columns;  // those not listed are categories, not required
  std::vector<RuleSpec> rules;

  static std::vector<std::string> default_sentinels();
  // The column's own entry, or one with the defaults.
  ColumnSpec column(std::string_view name) const;
};

// Errors are usage, naming file and line: not TOML, an unknown key (the known ones are listed), a
// value of another type, a rule without what its kind needs.
TableSchema parse_schema(std::string_view toml, std::string_view file);
TableSchema load_schema(const std::filesystem::path& path);
// TOML that parse_schema() reads to an equal schema.
std::string to_toml(const TableSchema& schema);

// The file's dialect after the schema's word on it; `path` decides where the schema is silent.
TableDialect dialect_of(const TableSchema& schema, const std::filesystem::path& path);

// A schema from the first 2,000 records: a column is a timestamp or number when 95% of its present
// values read as one (of a usual format), text when its values are long or mostly distinct phrases,
// else a category; required when 95% are present. An embedding: 95% are vectors of one width of at
// least 8, not all of whole numbers. An image or audio: 95% have the ending of such files and no
// "://", and of 20 different ones at least half are there. id, label and time are found
// by name and content.
// `given` supplies what is already known (format, roles) and stays as it is.
TableSchema infer_schema(const std::filesystem::path& path, TableSchema given);

// Throws usage when the schema or a rule names a column that `columns` has not, for two columns of
// one media type, and for one of these as id, label, time or text.
void check_schema(const TableSchema& schema, const std::vector<std::string>& columns,
                  std::string_view file);

// The most frequent width of the vectors in `column` of the first 2,000 records, the smaller one
// among equals; 0 where there is none.
std::int64_t usual_width(const std::filesystem::path& path, const TableSchema& schema,
                         std::string_view column);

// A value that says nothing: empty, blanks, or a sentinel (any case, blanks around it ignored).
bool is_absent(std::string_view value, const std::vector<std::string>& sentinels);
// The whole value as a finite number, blanks around it ignored.
std::optional<double> parse_number(std::string_view value);
std::string_view trimmed(std::string_view value);

}  // namespace athanor::data
