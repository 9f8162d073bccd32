#include "data/table_schema.h"

#include <toml++/toml.h>
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <initializer_list>
#include <set>

#include "data/time_text.h"
#include "tensor/base/error.h"
#include "tensor/io/mapped_file.h"

namespace athanor::data {
namespace {

constexpr std::array<std::string_view, 7> kTypes{"text",  "category", "number",   "timestamp",
                                                 "image", "audio",    "embedding"};
constexpr std::int64_t kMostWidth = 1'000'000;  // of an embedding
constexpr std::array<std::string_view, 7> kKinds{
    "expression", "regex", "range", "values", "unique", "foreign_key", "functional_dependency"};

template <std::size_t N>
std::string joined(const std::array<std::string_view, N>& names) {
  std::string text;
  for (std::string_view name : names) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

// Typed reading of one TOML table; every key must have been asked for in the end.
class TomlFields {
 public:
  TomlFields(const toml::table& table, std::string file, std::string prefix)
      : table_(table), file_(std::move(file)), prefix_(std::move(prefix)) {}

  template <class T>
  std::optional<T> value(std::string_view key, const char* expected) {
    const toml::node* node = find(key);
    if (!node) return {};
    const auto result = node->value<T>();
    if (!result) wrong(*node, key, expected);
    return result;
  }
  std::string text(std::string_view key) {
    return value<std::string>(key, "a string").value_or("");
  }
  // A string, or an array of strings.
  std::vector<std::string> texts(std::string_view key) {
    const toml::node* node = find(key);
    if (!node) return {};
    if (const auto one = node->value<std::string>()) return {*one};
    const toml::array* array = node->as_array();
    std::vector<std::string> result;
    if (!array) wrong(*node, key, "a string or an array of strings");
    for (const toml::node& item : *array) {
      const auto text = item.value<std::string>();
      if (!text) wrong(item, key, "strings");
      result.push_back(*text);
    }
    return result;
  }
  const toml::node* find(std::string_view key) {
    known_.emplace_back(key);
    return table_.get(key);
  }
  [[noreturn]] void wrong(const toml::node& node, std::string_view key, const char* expected) {
    raise(ErrorKind::usage, file_, ": line ", node.source().begin.line, ", ", prefix_, key,
          ": expected ", expected, ", found another type or value");
  }
  void finish() const {
    for (const auto& [key, node] : table_) {
      if (std::find(known_.begin(), known_.end(), key.str()) != known_.end()) continue;
      std::string list;
      for (const std::string& name : known_) list += (list.empty() ? "" : ", ") + name;
      raise(ErrorKind::usage, file_, ": line ", node.source().begin.line, ": unknown key ", prefix_,
            key.str(), "; expected one of ", list);
    }
  }
  std::string where(const toml::table& table) const {
    return str(file_, ": line ", table.source().begin.line);
  }

 private:
  const toml::table& table_;
  const std::string file_, prefix_;
  std::vector<std::string> known_;
};

template <std::size_t N>
std::size_t index_of(const std::array<std::string_view, N>& names, const std::string& name,
                     const std::string& where) {
  const auto at = std::find(names.begin(), names.end(), name);
  if (at == names.end()) {
    raise(ErrorKind::usage, where, ": expected one of ", joined(names), ", found '", name, "'");
  }
  return static_cast<std::size_t>(at - names.begin());
}

ColumnSpec read_column(const std::string& name, const toml::table& table, const std::string& file) {
  TomlFields f(table, file, "columns." + name + ".");
  ColumnSpec column;
  column.name = name;
  const auto type = f.value<std::string>("type", "a string").value_or("category");
  column.type = static_cast<ColumnType>(index_of(kTypes, type, f.where(table) + ", type"));
  column.required = f.value<bool>("required", "true or false").value_or(false);
  column.weight = f.value<double>("weight", "a number").value_or(1);
  column.min = f.value<double>("min", "a number").value_or(column.min);
  column.max = f.value<double>("max", "a number").value_or(column.max);
  column.sentinels = f.texts("sentinels");
  column.time_formats = f.texts("formats");
  column.width = f.value<std::int64_t>("width", "a number").value_or(0);
  f.finish();
  if (column.width < 0 || column.width > kMostWidth ||
      (column.width > 0 && column.type != ColumnType::embedding)) {
    raise(ErrorKind::usage, f.where(table), ", columns.", name, ".width: expected 1 to ",
          kMostWidth, " for a column of type embedding, found ", column.width, " for ", type);
  }
  if (!(column.weight > 0 && std::isfinite(column.weight))) {
    raise(ErrorKind::usage, f.where(table), ", columns.", name,
          ".weight: expected more than 0, found ", column.weight);
  }
  return column;
}

RuleSpec read_rule(const toml::table& table, const std::string& file, std::size_t number) {
  TomlFields f(table, file, "rules.");
  RuleSpec rule;
  const std::string where = f.where(table) + ", rule " + std::to_string(number);
  const auto kind = f.value<std::string>("kind", "a string").value_or("expression");
  rule.kind = static_cast<RuleKind>(index_of(kKinds, kind, where + ", kind"));
  rule.name =
      f.value<std::string>("name", "a string").value_or(kind + "_" + std::to_string(number));
  const auto action = f.value<std::string>("action", "a string").value_or("drop");
  rule.drop =
      index_of(std::array<std::string_view, 2>{"score", "drop"}, action, where + ", action");
  rule.expression = f.text("expression");
  rule.columns = f.texts("column");
  rule.pattern = f.text("pattern");
  rule.min = f.value<double>("min", "a number").value_or(rule.min);
  rule.max = f.value<double>("max", "a number").value_or(rule.max);
  rule.values = f.texts("values");
  rule.file = f.text("file");
  rule.key = f.text("key");
  rule.determinant = f.texts("determinant");
  rule.dependent = f.texts("dependent");
  rule.source = f.text("source");
  f.finish();
  const auto need = [&](bool given, const char* what) {
    if (!given) raise(ErrorKind::usage, where, " (", kind, "): expected ", what, ", found none");
  };
  switch (rule.kind) {
    case RuleKind::expression:
      need(!rule.expression.empty(), "an expression");
      break;
    case RuleKind::functional_dependency:
      need(!rule.determinant.empty() && !rule.dependent.empty(), "determinant and dependent");
      break;
    default:
      need(!rule.columns.empty(), "a column");
  }
  if (rule.kind == RuleKind::regex) need(!rule.pattern.empty(), "a pattern");
  if (rule.kind == RuleKind::values) need(!rule.values.empty(), "values");
  if (rule.kind == RuleKind::foreign_key)
    need(!rule.file.empty() && !rule.key.empty(), "file and key");
  if (rule.kind == RuleKind::range) {
    need(std::isfinite(rule.min) || std::isfinite(rule.max), "min or max");
  }
  return rule;
}

void read_dialect(TomlFields& f, const std::string& file, TableSchema& schema) {
  constexpr std::array<std::string_view, 3> formats{"csv", "tsv", "jsonl"};
  if (const auto format = f.value<std::string>("format", "a string")) {
    schema.format = static_cast<TableFormat>(index_of(formats, *format, file + ": format"));
  }
  schema.header = f.value<bool>("header", "true or false");
  schema.quoted = f.value<bool>("quoted", "true or false");
  const std::string delimiter = f.text("delimiter");
  if (delimiter.size() > 1) {
    raise(ErrorKind::usage, file, ": delimiter: expected one character, found '", delimiter, "'");
  }
  if (!delimiter.empty()) schema.delimiter = delimiter[0];
  const std::string encoding = f.value<std::string>("encoding", "a string").value_or("utf-8");
  constexpr std::array<std::string_view, 2> encodings{"utf-8", "latin-1"};
  schema.latin1 = index_of(encodings, encoding, file + ": encoding") == 1;
  schema.names = f.texts("names");
}

}  // namespace

std::string_view name_of(ColumnType type) { return kTypes[static_cast<std::size_t>(type)]; }
bool is_media(ColumnType type) { return type >= ColumnType::image; }
std::string_view name_of(RuleKind kind) { return kKinds[static_cast<std::size_t>(kind)]; }

std::vector<std::string> TableSchema::default_sentinels() {
  return {"NA",   "N/A", "n.a.", "NaN", "null",    "none",          "nil",
          "#N/A", "-",   "--",   "?",   "unknown", "not available", "missing"};
}

ColumnSpec TableSchema::column(std::string_view name) const {
  for (const ColumnSpec& column : columns) {
    if (column.name == name) return column;
  }
  ColumnSpec column;
  column.name = name;
  return column;
}

TableSchema parse_schema(std::string_view text, std::string_view file_name) {
  const std::string file(file_name);
  toml::table table;
  try {
    table = toml::parse(text, file);
  } catch (const toml::parse_error& error) {
    raise(ErrorKind::usage, file, ": line ", error.source().begin.line, ": ", error.description());
  }
  TomlFields f(table, file, "");
  TableSchema schema;
  read_dialect(f, file, schema);
  schema.folder = f.text("folder");
  schema.id = f.text("id");
  schema.label = f.text("label");
  schema.time = f.text("time");
  schema.text = f.texts("text");
  if (const auto reference = f.value<std::string>("reference_time", "a string")) {
    schema.reference_time = parse_time(*reference, usual_time_formats());
    if (std::isnan(schema.reference_time)) {
      raise(ErrorKind::usage, file, ": reference_time: expected a time like 2024-01-01T00:00:00Z, ",
            "found '", *reference, "'");
    }
  }
  if (f.find("sentinels")) schema.sentinels = f.texts("sentinels");
  if (const toml::node* columns = f.find("columns")) {
    if (!columns->is_table()) f.wrong(*columns, "columns", "a table of columns");
    for (const auto& [name, node] : *columns->as_table()) {
      if (!node.is_table()) f.wrong(node, "columns", "a table for each column");
      schema.columns.push_back(read_column(std::string(name.str()), *node.as_table(), file));
    }
  }
  if (const toml::node* rules = f.find("rules")) {
    if (!rules->is_array()) f.wrong(*rules, "rules", "an array of tables, [[rules]]");
    for (const toml::node& node : *rules->as_array()) {
      if (!node.is_table()) f.wrong(node, "rules", "an array of tables, [[rules]]");
      schema.rules.push_back(read_rule(*node.as_table(), file, schema.rules.size() + 1));
    }
  }
  f.finish();
  return schema;
}

TableSchema load_schema(const std::filesystem::path& path) {
  const auto bytes = read_file(path);
  return parse_schema({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path.string());
}

TableDialect dialect_of(const TableSchema& schema, const std::filesystem::path& path) {
  TableDialect dialect;
  if (schema.format) {
    const std::string name = "x." + std::string(name_of(*schema.format));
    dialect = dialect_of_path(name);
  } else {
    dialect = dialect_of_path(path);
  }
  if (schema.header) dialect.header = *schema.header;
  if (schema.quoted) dialect.quoted = *schema.quoted;
  if (schema.delimiter != 0) dialect.delimiter = schema.delimiter;
  dialect.latin1 = schema.latin1;
  if (!dialect.header) dialect.columns = schema.names;
  return dialect;
}

void check_schema(const TableSchema& schema, const std::vector<std::string>& columns,
                  std::string_view file) {
  std::string known;
  for (const std::string& name : columns) known += (known.empty() ? "" : ", ") + name;
  const auto need = [&](const std::string& name, const std::string& what) {
    if (name.empty() || std::find(columns.begin(), columns.end(), name) != columns.end()) return;
    raise(ErrorKind::usage, "schema, ", what, ": expected a column of ", file, " (", known,
          "), found '", name, "'");
  };
  need(schema.id, "id");
  need(schema.label, "label");
  need(schema.time, "time");
  for (const std::string& name : schema.text) need(name, "text");
  for (const ColumnSpec& column : schema.columns) need(column.name, "columns");
  for (const RuleSpec& rule : schema.rules) {
    const std::string what = "rule " + rule.name;
    for (const auto* list : {&rule.columns, &rule.determinant, &rule.dependent}) {
      for (const std::string& name : *list) need(name, what);
    }
    need(rule.source, what + ", source");
  }
  for (std::size_t a = 0; a < schema.columns.size(); ++a) {
    const ColumnSpec& column = schema.columns[a];
    if (!is_media(column.type)) continue;
    const bool text =
        std::find(schema.text.begin(), schema.text.end(), column.name) != schema.text.end();
    if (text || column.name == schema.id || column.name == schema.label ||
        column.name == schema.time) {
      raise(ErrorKind::usage, "schema, columns.", column.name, ": expected no id, label, time or ",
            "text of type ", name_of(column.type), ", found one");
    }
    for (std::size_t b = 0; b < a; ++b) {
      if (schema.columns[b].type != column.type) continue;
      raise(ErrorKind::usage, "schema: expected at most one column of type ", name_of(column.type),
            ", found '", schema.columns[b].name, "' and '", column.name, "'");
    }
  }
}

std::string_view trimmed(std::string_view value) {
  const auto first = value.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return value.substr(first, value.find_last_not_of(" \t\r\n") - first + 1);
}

bool is_absent(std::string_view value, const std::vector<std::string>& sentinels) {
  value = trimmed(value);
  if (value.empty()) return true;
  const auto same = [](char a, char b) {
    const auto low = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return low(a) == low(b);
  };
  return std::any_of(sentinels.begin(), sentinels.end(), [&](const std::string& sentinel) {
    return sentinel.size() == value.size() &&
           std::equal(value.begin(), value.end(), sentinel.begin(), same);
  });
}

std::optional<double> parse_number(std::string_view value) {
  value = trimmed(value);
  if (value.starts_with('+')) value.remove_prefix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || !std::isfinite(number))
    return {};
  return number;
}

}  // namespace athanor::data
