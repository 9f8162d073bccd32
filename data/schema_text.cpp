// A schema written as TOML.
#include <toml++/toml.h>
#include <cmath>
#include <sstream>

#include "data/table_schema.h"
#include "data/time_text.h"

namespace athanor::data {
namespace {

toml::array to_array(const std::vector<std::string>& values) {
  toml::array array;
  for (const std::string& value : values) array.push_back(value);
  return array;
}

void put(toml::table& table, std::string_view key, const std::string& value) {
  if (!value.empty()) table.insert(key, value);
}
void put(toml::table& table, std::string_view key, const std::vector<std::string>& values) {
  if (!values.empty()) table.insert(key, to_array(values));
}
void put(toml::table& table, std::string_view key, double value) {
  if (std::isfinite(value)) table.insert(key, value);
}

toml::table to_table(const ColumnSpec& column) {
  toml::table table;
  put(table, "type", std::string(name_of(column.type)));
  if (column.required) table.insert("required", true);
  if (column.weight != 1) table.insert("weight", column.weight);
  put(table, "min", column.min);
  put(table, "max", column.max);
  put(table, "sentinels", column.sentinels);
  put(table, "formats", column.time_formats);
  if (column.width > 0) table.insert("width", column.width);
  return table;
}

toml::table to_table(const RuleSpec& rule) {
  toml::table table;
  put(table, "name", rule.name);
  put(table, "kind", std::string(name_of(rule.kind)));
  if (!rule.drop) table.insert("action", "score");
  put(table, "expression", rule.expression);
  put(table, "column", rule.columns);
  put(table, "pattern", rule.pattern);
  put(table, "min", rule.min);
  put(table, "max", rule.max);
  put(table, "values", rule.values);
  put(table, "file", rule.file);
  put(table, "key", rule.key);
  put(table, "determinant", rule.determinant);
  put(table, "dependent", rule.dependent);
  put(table, "source", rule.source);
  return table;
}

}  // namespace

std::string to_toml(const TableSchema& schema) {
  toml::table table;
  if (schema.format) put(table, "format", std::string(name_of(*schema.format)));
  if (schema.header) table.insert("header", *schema.header);
  if (schema.quoted) table.insert("quoted", *schema.quoted);
  if (schema.delimiter != 0) table.insert("delimiter", std::string(1, schema.delimiter));
  if (schema.latin1) table.insert("encoding", "latin-1");
  put(table, "names", schema.names);
  put(table, "folder", schema.folder);
  put(table, "id", schema.id);
  put(table, "label", schema.label);
  put(table, "time", schema.time);
  put(table, "text", schema.text);
  if (std::isfinite(schema.reference_time)) {
    put(table, "reference_time", format_time(schema.reference_time));
  }
  table.insert("sentinels", to_array(schema.sentinels));
  toml::table columns;
  for (const ColumnSpec& column : schema.columns) columns.insert(column.name, to_table(column));
  if (!columns.empty()) table.insert("columns", std::move(columns));
  toml::array rules;
  for (const RuleSpec& rule : schema.rules) rules.push_back(to_table(rule));
  if (!rules.empty()) table.insert("rules", std::move(rules));
  std::ostringstream out;
  out << table << '\n';
  return out.str();
}

}  // namespace athanor::data
