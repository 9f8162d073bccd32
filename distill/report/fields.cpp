#include "distill/report/fields.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "tensor/base/error.h"

namespace athanor::distill::report {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kMaxDepth = 32;

const Json kEmptyObject = Json::object();
const Json kEmptyArray = Json::array();

template <class... Args>
[[noreturn]] void bad(const std::string& file, std::size_t line, const Args&... args) {
  raise(ErrorKind::bad_input, file, ":", line, ": ", args...);
}

std::string quoted(const std::string& cell) {
  constexpr std::size_t kShown = 40;
  return cell.size() <= kShown ? '"' + cell + '"' : '"' + cell.substr(0, kShown) + "...\"";
}

template <class T>
bool parse_whole(const std::string& cell, T& value) {
  const char* end = cell.data() + cell.size();
  const auto result = std::from_chars(cell.data(), end, value);
  return result.ec == std::errc() && result.ptr == end;
}

}  // namespace

Json parse_json(std::string_view text, const std::string& file, std::size_t first_line) {
  const auto line_of = [&](std::size_t offset) {
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(offset, text.size()));
    return first_line + static_cast<std::size_t>(std::count(text.begin(), end, '\n'));
  };
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  const auto guard = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > kMaxDepth) bad(file, first_line, "nested deeper than ", kMaxDepth, " levels");
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!keys.back().insert(key).second)
        bad(file, first_line, "key ", quoted(key), " stands twice");
    }
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), guard);
  } catch (const Json::parse_error& e) {
    bad(file, line_of(e.byte > 0 ? e.byte - 1 : 0), "expected JSON, got a syntax error (", e.what(),
        ")");
  } catch (const Json::out_of_range& e) {
    bad(file, first_line, "a number is out of range (", e.what(), ")");
  }
}

Fields::Fields(const Json& object, std::string where, std::string prefix)
    : json_(&object), where_(std::move(where)), prefix_(std::move(prefix)) {
  if (!object.is_object()) {
    raise(ErrorKind::bad_input, where_, ": expected an object",
          prefix_.empty() ? "" : " in \"" + prefix_ + "\"", ", got ", object.type_name());
  }
}

std::string Fields::path(std::string_view key) const {
  return prefix_.empty() ? std::string(key) : prefix_ + "." + std::string(key);
}

void Fields::wrong(std::string_view key, const char* expected, const Json& got) const {
  raise(ErrorKind::bad_input, where_, ": expected ", expected, " in \"", path(key), "\", got ",
        got.type_name());
}

bool Fields::has(const char* key) const {
  const auto found = json_->find(key);
  return found != json_->end() && !found->is_null();
}

double Fields::number(const char* key) const {
  if (!has(key)) return std::numeric_limits<double>::quiet_NaN();
  const Json& value = *json_->find(key);
  if (!value.is_number()) wrong(key, "a number", value);
  return value.get<double>();
}

std::int64_t Fields::integer(const char* key) const {
  const double value = number(key);
  if (std::isnan(value)) return 0;
  constexpr double kLargest = 9007199254740992.0;  // 2^53: beyond, doubles skip integers
  if (value != std::floor(value) || std::abs(value) > kLargest) {
    wrong(key, "an integer", *json_->find(key));
  }
  return static_cast<std::int64_t>(value);
}

std::string Fields::text(const char* key) const {
  if (!has(key)) return "";
  const Json& value = *json_->find(key);
  if (!value.is_string()) wrong(key, "a string", value);
  return value.get<std::string>();
}

std::string Fields::required_text(const char* key) const {
  if (!has(key)) {
    raise(ErrorKind::bad_input, where_, ": expected a string in \"", path(key), "\", got nothing");
  }
  return text(key);
}

Fields Fields::object(const char* key) const {
  return {has(key) ? *json_->find(key) : kEmptyObject, where_, path(key)};
}

const Json& Fields::array(const char* key) const {
  if (!has(key)) return kEmptyArray;
  const Json& value = *json_->find(key);
  if (!value.is_array()) wrong(key, "an array", value);
  return value;
}

std::vector<CsvRecord> read_csv(std::string_view text, const std::string& file) {
  std::vector<CsvRecord> records;
  std::size_t line = 1;
  std::size_t at = 0;
  while (at < text.size()) {
    CsvRecord record{line, {""}};
    bool in_quotes = false;
    for (; at < text.size(); ++at) {
      const char c = text[at];
      if (c == '\n') ++line;
      if (in_quotes) {
        if (c != '"') {
          record.cells.back() += c;
        } else if (at + 1 < text.size() && text[at + 1] == '"') {
          record.cells.back() += c;
          ++at;
        } else {
          in_quotes = false;
        }
      } else if (c == '"' && record.cells.back().empty()) {
        in_quotes = true;
      } else if (c == ',') {
        record.cells.emplace_back();
      } else if (c == '\n') {
        break;
      } else if (c != '\r' || (at + 1 < text.size() && text[at + 1] != '\n')) {
        record.cells.back() += c;
      }
    }
    ++at;
    if (in_quotes) bad(file, record.line, "expected a closing quote, got the end of the file");
    if (!records.empty() && record.cells.size() != records.front().cells.size()) {
      bad(file, record.line, "expected ", records.front().cells.size(), " cells, got ",
          record.cells.size());
    }
    records.push_back(std::move(record));
  }
  return records;
}

double csv_number(const std::string& cell, const std::string& file, std::size_t line,
                  const std::string& column) {
  double value = std::numeric_limits<double>::quiet_NaN();
  if (!cell.empty() && !parse_whole(cell, value)) {
    bad(file, line, "expected a number in column ", quoted(column), ", got ", quoted(cell));
  }
  return value;
}

std::int64_t csv_integer(const std::string& cell, const std::string& file, std::size_t line,
                         const std::string& column) {
  std::int64_t value = 0;
  if (!parse_whole(cell, value)) {
    bad(file, line, "expected an integer in column ", quoted(column), ", got ", quoted(cell));
  }
  return value;
}

bool csv_flag(const std::string& cell, const std::string& file, std::size_t line,
              const std::string& column) {
  if (cell == "1" || cell == "true") return true;
  if (cell == "0" || cell == "false") return false;
  bad(file, line, "expected 0 or 1 in column ", quoted(column), ", got ", quoted(cell));
}

}  // namespace athanor::distill::report
