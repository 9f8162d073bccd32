// A schema from the first records of a file.
#include <algorithm>
#include <cctype>
#include <cmath>
#include <initializer_list>
#include <unordered_set>

#include "data/table_schema.h"
#include "data/time_text.h"

namespace athanor::data {
namespace {

constexpr std::int64_t kSample = 2000;
constexpr double kMost = .95;         // share of values that decides a type
constexpr double kLongText = 30;      // mean bytes of a text's values
constexpr double kDistinctText = .5;  // share of distinct values of a text
constexpr double kMaxClasses = .2;    // distinct labels / records

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool is_one_of(const std::string& name, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(), [&](const char* n) { return name == n; });
}

// What the sample says about one column.
struct ColumnFacts {
  std::int64_t present = 0, numbers = 0, words = 0, bytes = 0;
  std::vector<std::int64_t> fits;  // a usual time format each
  std::unordered_set<std::string> distinct;

  void add(std::string_view value) {
    const auto& formats = usual_time_formats();
    fits.resize(formats.size());
    ++present;
    numbers += parse_number(value).has_value();
    bytes += std::ssize(value);
    words += 1 + std::count(value.begin(), value.end(), ' ');
    // Each format has digits.
    const bool digits =
        std::any_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
    for (std::size_t f = 0; digits && f < formats.size(); ++f) {
      fits[f] += parse_time(value, formats[f]).has_value();
    }
    distinct.emplace(value);
  }
  bool most(std::int64_t count) const {
    return present > 0 && static_cast<double>(count) >= kMost * static_cast<double>(present);
  }
  double share_distinct() const {
    return present > 0 ? static_cast<double>(distinct.size()) / static_cast<double>(present) : 0;
  }
  double mean(std::int64_t sum) const {
    return present > 0 ? static_cast<double>(sum) / static_cast<double>(present) : 0;
  }
};

void decide_type(const ColumnFacts& facts, ColumnSpec& column) {
  std::vector<std::string> formats;
  std::int64_t times = 0;
  for (std::size_t f = 0; f < facts.fits.size(); ++f) {
    if (facts.fits[f] == 0) continue;
    formats.push_back(usual_time_formats()[f]);
    times += facts.fits[f];
  }
  if (facts.most(facts.numbers)) {
    column.type = ColumnType::number;
  } else if (facts.most(times)) {
    column.type = ColumnType::timestamp;
    column.time_formats = formats;
  } else if (facts.mean(facts.bytes) >= kLongText ||
             (facts.mean(facts.words) >= 3 && facts.share_distinct() >= kDistinctText)) {
    column.type = ColumnType::text;
  } else {
    column.type = ColumnType::category;
  }
}

}  // namespace

TableSchema infer_schema(const std::filesystem::path& path, TableSchema given) {
  TableSchema schema = std::move(given);
  const TableDialect dialect = dialect_of(schema, path);
  schema.format = dialect.format;
  RecordReader reader(path, dialect);
  const std::vector<std::string>& names = reader.columns();
  std::vector<ColumnFacts> facts(names.size());
  Record record;
  std::int64_t records = 0;
  while (records < kSample && reader.next(record)) {
    if (record.problem) continue;
    ++records;
    for (std::size_t c = 0; c < names.size(); ++c) {
      if (!is_absent(record.fields[c], schema.sentinels)) facts[c].add(record.fields[c]);
    }
  }
  const auto known = [&](const std::string& name) {
    return std::any_of(schema.columns.begin(), schema.columns.end(),
                       [&](const ColumnSpec& column) { return column.name == name; });
  };
  for (std::size_t c = 0; c < names.size(); ++c) {
    if (known(names[c])) continue;
    ColumnSpec column;
    column.name = names[c];
    decide_type(facts[c], column);
    column.required = records > 0 &&
                      static_cast<double>(facts[c].present) >= kMost * static_cast<double>(records);
    schema.columns.push_back(std::move(column));
  }
  const auto type_of = [&](std::size_t c) { return schema.column(names[c]).type; };
  const auto find = [&](auto&& fits) {
    for (std::size_t c = 0; c < names.size(); ++c) {
      if (fits(lower(names[c]), facts[c], type_of(c))) return names[c];
    }
    return std::string();
  };
  if (schema.id.empty()) {
    schema.id = find([&](const std::string& name, const ColumnFacts& f, ColumnType) {
      const bool named =
          is_one_of(name, {"id", "index", "row", "uid", "uuid", "key", "tuple_id"}) ||
          name.ends_with("_id") || name.ends_with(" id");
      return named && f.present == records && std::ssize(f.distinct) == records;
    });
  }
  if (schema.label.empty()) {
    schema.label = find([&](const std::string& name, const ColumnFacts& f, ColumnType) {
      return is_one_of(name, {"label", "labels", "class", "category", "target", "y"}) &&
             static_cast<double>(f.distinct.size()) <=
                 std::max(2.0, kMaxClasses * static_cast<double>(records));
    });
  }
  if (schema.time.empty()) {
    schema.time = find([&](const std::string& name, const ColumnFacts&, ColumnType type) {
      return type == ColumnType::timestamp &&
             is_one_of(name, {"time", "date", "timestamp", "created", "created_at", "updated",
                              "updated_at", "datetime", "time_hour"});
    });
  }
  if (schema.text.empty()) {
    for (std::size_t c = 0; c < names.size(); ++c) {
      if (type_of(c) == ColumnType::text && names[c] != schema.id && names[c] != schema.label) {
        schema.text.push_back(names[c]);
      }
    }
  }
  return schema;
}

}  // namespace athanor::data
