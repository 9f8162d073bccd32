// A schema from the first records of a file.
#include <algorithm>
#include <cctype>
#include <cmath>
#include <initializer_list>
#include <map>
#include <span>
#include <unordered_set>

#include "data/table_schema.h"
#include "data/time_text.h"
#include "data/vector_text.h"

namespace athanor::data {
namespace {

constexpr std::int64_t kSample = 2000;
constexpr double kMost = .95;            // share of values that decides a type
constexpr double kLongText = 30;         // mean bytes of a text's values
constexpr double kDistinctText = .5;     // share of distinct values of a text
constexpr double kMaxClasses = .2;       // distinct labels / records
constexpr std::int64_t kLeastWidth = 8;  // of an embedding; four numbers may be a box
constexpr int kLookedFor = 20;           // files that must be there for a column of paths

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool is_one_of(const std::string& name, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(), [&](const char* n) { return name == n; });
}

constexpr const char* kImageEndings[] = {".png", ".jpg", ".jpeg"};
constexpr const char* kSoundEndings[] = {".wav", ".flac", ".aif", ".aiff", ".au", ".ogg", ".oga"};

bool has_ending(std::string_view value, std::span<const char* const> endings) {
  const std::string_view name = trimmed(value);
  const std::size_t point = name.rfind('.');
  if (point == name.npos || name.size() - point > 5) return false;  // no ending is longer
  const std::string ending = lower(std::string(name.substr(point)));
  return std::find(endings.begin(), endings.end(), ending) != endings.end() &&
         value.find("://") == value.npos;
}

// What the sample says about one column.
struct ColumnFacts {
  std::int64_t present = 0, numbers = 0, words = 0, bytes = 0;
  std::int64_t images = 0, sounds = 0;          // values with the ending of such files
  std::vector<std::int64_t> fits;               // a usual time format each
  std::map<std::int64_t, std::int64_t> widths;  // of values that are vectors
  bool fractions = false;                       // in one of these
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
    images += has_ending(value, kImageEndings);
    sounds += has_ending(value, kSoundEndings);
    if (parse_vector(value, vector_) == VectorFault::none) {
      ++widths[std::ssize(vector_)];
      fractions = fractions || std::any_of(vector_.begin(), vector_.end(),
                                           [](float x) { return x != std::trunc(x); });
    }
    distinct.emplace(value);
  }
  // The width that most values have, 0 where they are no embeddings.
  std::int64_t width() const {
    for (const auto& [size, count] : widths) {
      if (size >= kLeastWidth && fractions && most(count)) return size;
    }
    return 0;
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

 private:
  std::vector<float> vector_;
};

// Whether at least half of the first different files, in the order of their names, are there.
bool are_there(const std::unordered_set<std::string>& values, const std::filesystem::path& folder) {
  std::vector<std::string> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  int asked = 0, there = 0;
  for (const std::string& value : sorted) {
    if (asked == kLookedFor) break;
    std::error_code ignored;
    ++asked;
    there += std::filesystem::is_regular_file(folder / trimmed(value), ignored);
  }
  return 2 * there >= asked;
}

// Whether the column is of a media type, which only one column can be.
bool decide_media(const ColumnFacts& facts, const std::filesystem::path& folder,
                  const std::vector<ColumnSpec>& others, ColumnSpec& column) {
  if (facts.width() > 0) {
    column.type = ColumnType::embedding;
  } else if (facts.most(facts.images) && are_there(facts.distinct, folder)) {
    column.type = ColumnType::image;
  } else if (facts.most(facts.sounds) && are_there(facts.distinct, folder)) {
    column.type = ColumnType::audio;
  } else {
    return false;
  }
  if (std::any_of(others.begin(), others.end(),
                  [&](const ColumnSpec& other) { return other.type == column.type; })) {
    return false;
  }
  if (column.type == ColumnType::embedding) column.width = facts.width();
  return true;
}

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
    const bool role =
        names[c] == schema.id || names[c] == schema.label || names[c] == schema.time ||
        std::find(schema.text.begin(), schema.text.end(), names[c]) != schema.text.end();
    const auto folder = path.parent_path() / schema.folder;
    if (role || !decide_media(facts[c], folder, schema.columns, column)) {
      decide_type(facts[c], column);
    }
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
    schema.id = find([&](const std::string& name, const ColumnFacts& f, ColumnType type) {
      const bool named =
          is_one_of(name, {"id", "index", "row", "uid", "uuid", "key", "tuple_id"}) ||
          name.ends_with("_id") || name.ends_with(" id");
      return named && !is_media(type) && f.present == records && std::ssize(f.distinct) == records;
    });
  }
  if (schema.label.empty()) {
    schema.label = find([&](const std::string& name, const ColumnFacts& f, ColumnType type) {
      return !is_media(type) &&
             is_one_of(name, {"label", "labels", "class", "category", "target", "y"}) &&
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

std::int64_t usual_width(const std::filesystem::path& path, const TableSchema& schema,
                         std::string_view column) {
  RecordReader reader(path, dialect_of(schema, path));
  const auto at = std::find(reader.columns().begin(), reader.columns().end(), column);
  if (at == reader.columns().end()) return 0;
  const auto c = static_cast<std::size_t>(at - reader.columns().begin());
  std::map<std::int64_t, std::int64_t> widths;
  std::vector<float> values;
  Record record;
  for (std::int64_t records = 0; records < kSample && reader.next(record); ++records) {
    if (record.problem || parse_vector(record.fields[c], values) != VectorFault::none) continue;
    ++widths[std::ssize(values)];
  }
  const auto most =
      std::max_element(widths.begin(), widths.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == widths.end() ? 0 : most->first;
}

}  // namespace athanor::data
