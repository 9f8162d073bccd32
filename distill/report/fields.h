// Typed access to JSON and CSV fields with errors that say where: "summary.json: expected a number
// in
// \"teacher.f1\", got a string".
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace athanor::distill::report {

// Parses one JSON text. Throws bad_input naming file and line for a syntax error, for nesting
// deeper than 32 levels and for a key that stands twice in one object; `first_line` is the line of
// the file at which the text begins.
nlohmann::ordered_json parse_json(std::string_view text, const std::string& file,
                                  std::size_t first_line = 1);

// An object of a file; `where` is the file with its line, `prefix` the path of keys to the object.
class Fields {
 public:
  using Json = nlohmann::ordered_json;
  Fields(const Json& object, std::string where, std::string prefix = "");

  bool has(const char* key) const;  // present and not null
  // Absent and null give NaN, "" or 0. Another type throws bad_input.
  double number(const char* key) const;
  std::int64_t integer(const char* key) const;
  std::string text(const char* key) const;
  // As above, but the field must be there.
  std::string required_text(const char* key) const;
  // Absent and null give an empty object or array.
  Fields object(const char* key) const;
  const Json& array(const char* key) const;

  const Json& json() const { return *json_; }
  const std::string& where() const { return where_; }
  std::string path(std::string_view key) const;
  [[noreturn]] void wrong(std::string_view key, const char* expected, const Json& got) const;

 private:
  const Json* json_;
  std::string where_;
  std::string prefix_;
};

// One record of a CSV file (RFC 4180: quotes, doubled quotes, newlines inside quotes).
struct CsvRecord {
  std::size_t line = 0;
  std::vector<std::string> cells;
};

// All records; each must have as many cells as the first. Throws bad_input naming file and line.
std::vector<CsvRecord> read_csv(std::string_view text, const std::string& file);

// A cell as a number, empty = NaN; throws bad_input naming file, line and column.
double csv_number(const std::string& cell, const std::string& file, std::size_t line,
                  const std::string& column);
std::int64_t csv_integer(const std::string& cell, const std::string& file, std::size_t line,
                         const std::string& column);
// "0"/"1" or "false"/"true".
bool csv_flag(const std::string& cell, const std::string& file, std::size_t line,
              const std::string& column);

}  // namespace athanor::distill::report
