#include "data/record_reader.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <set>
#include <unordered_map>
#include <utility>

#include "data/byte_stream.h"
#include "data/json_record.h"
#include "data/record_scan.h"
#include "data/text/unicode.h"
#include "tensor/base/error.h"

namespace athanor::data {
namespace {

constexpr std::size_t kReadPiece = std::size_t{1} << 18;
constexpr std::int64_t kJsonSample = 1000;  // records whose keys become columns
constexpr std::size_t kNowhere = std::string_view::npos;

// Offset of the first byte that is no valid UTF-8, or kNowhere.
std::size_t invalid_utf8(std::string_view text) {
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  std::size_t i = 0;
  while (i < text.size()) {
    if (i + 8 <= text.size()) {
      std::uint64_t eight;
      std::memcpy(&eight, bytes + i, 8);
      if ((eight & 0x8080808080808080u) == 0) {
        i += 8;
        continue;
      }
    }
    if (bytes[i] < 0x80) {
      ++i;
      continue;
    }
    utf8proc_int32_t code = 0;
    const auto length =
        utf8proc_iterate(bytes + i, static_cast<utf8proc_ssize_t>(text.size() - i), &code);
    if (length < 1) return i;
    i += static_cast<std::size_t>(length);
  }
  return kNowhere;
}

std::string from_latin1(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xc0 | byte >> 6);
      out += static_cast<char>(0x80 | (byte & 0x3f));
    }
  }
  return out;
}

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

std::string hex(unsigned char byte) {
  constexpr std::string_view digits = "0123456789abcdef";
  return {'0', 'x', digits[byte >> 4], digits[byte & 15]};
}

bool ends_with(const std::string& text, std::initializer_list<const char*> endings) {
  return std::any_of(endings.begin(), endings.end(),
                     [&](const char* ending) { return text.ends_with(ending); });
}

}  // namespace

std::string_view name_of(TableFormat format) {
  constexpr std::array<std::string_view, 3> names{"csv", "tsv", "jsonl"};
  return names[static_cast<std::size_t>(format)];
}

TableDialect dialect_of_path(const std::filesystem::path& path) {
  std::string name = path.filename().string();
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  TableDialect dialect;
  if (name.ends_with(".csv")) return dialect;
  if (ends_with(name, {".tsv", ".tab"})) {
    dialect.format = TableFormat::tsv;
    dialect.delimiter = '\t';
    dialect.quoted = false;
    return dialect;
  }
  if (ends_with(name, {".jsonl", ".ndjson"})) {
    dialect.format = TableFormat::jsonl;
    dialect.header = false;
    return dialect;
  }
  raise(ErrorKind::usage, path.string(),
        ": expected a name ending in .csv, .tsv, .jsonl (or .gz after it), or a format in the "
        "schema or by --format");
}

struct RecordReader::State {
  State(const std::filesystem::path& path, TableDialect d, RecordLimits l)
      : name(path.string()), dialect(std::move(d)), limits(l), stream(path) {}

  std::string name;
  TableDialect dialect;
  RecordLimits limits;
  ByteStream stream;
  std::string buffer;  // [begin, end) is read and not consumed
  std::size_t begin = 0, end = 0;
  bool at_end = false;
  std::int64_t line = 1, blank = 0;
  std::uint64_t offset = 0;
  std::string header;
  std::vector<std::string> columns;
  std::unordered_map<std::string, std::size_t> index;  // of a JSON member
  std::deque<std::string> decoded;
  std::vector<std::pair<std::string, std::string>> members;

  std::string_view window() const { return {buffer.data() + begin, end - begin}; }

  // Reads on; false at the end of the file. Views into the buffer become invalid.
  bool fill() {
    if (at_end) return false;
    if (begin > 0) {
      std::memmove(buffer.data(), buffer.data() + begin, end - begin);
      end -= begin;
      begin = 0;
    }
    if (buffer.size() - end < kReadPiece)
      buffer.resize(std::max(2 * buffer.size(), end + kReadPiece));
    const std::size_t count = stream.read(buffer.data() + end, buffer.size() - end);
    end += count;
    at_end = count == 0;
    return !at_end;
  }

  void consume(std::size_t count) {
    const char* from = buffer.data() + begin;
    line += std::count(from, from + count, '\n');
    offset += count;
    begin += count;
  }

  // The first line of the window is all that a record with wrong quoting takes with it.
  std::size_t first_line() const {
    const std::size_t newline = window().find('\n');
    return newline == kNowhere ? window().size() : newline + 1;
  }

  // Leaves out a record that is longer than the limit; the file is read on to its line end.
  void skip_overlong(Record& record) {
    record.problem = RecordProblem{
        "record length", "at most " + std::to_string(limits.max_record) + " bytes", "more"};
    record.raw = window().substr(0, limits.max_record);
    overlong.assign(record.raw);
    record.raw = overlong;
    for (;;) {
      const std::size_t newline = window().find('\n');
      const std::size_t count = newline == kNowhere ? window().size() : newline + 1;
      record.bytes += count;
      consume(count);
      if (newline != kNowhere || (begin == end && !fill())) return;
    }
  }
  std::string overlong;

  bool skip_blank_lines() {
    for (;;) {
      if (begin == end && !fill()) return false;
      const std::size_t newline = window().find('\n');
      if (newline == kNowhere && window().size() < limits.max_record && fill()) continue;
      const std::string_view text = window().substr(0, newline);
      // A field of spaces may be a record of a table with one column; an empty line is none.
      const bool blank_line =
          dialect.format == TableFormat::jsonl ? is_blank(text) : text.empty() || text == "\r";
      if (!blank_line || text.size() > 4096) return true;
      consume(newline == kNowhere ? window().size() : newline + 1);
      ++blank;
    }
  }

  // Finds the record at the front of the buffer. False: record.problem is set.
  bool frame(Record& record, std::size_t& length) {
    for (;;) {
      RecordScan scan;
      if (dialect.format == TableFormat::jsonl) {
        const std::size_t newline = window().find('\n');
        if (newline == kNowhere && !at_end) {
          scan.status = RecordScan::Status::more;
        } else {
          scan.length = newline == kNowhere ? window().size() : newline + 1;
        }
      } else {
        scan = scan_record(window(), at_end, dialect.delimiter, dialect.quoted, record.fields,
                           decoded);
      }
      using Status = RecordScan::Status;
      if (scan.status == Status::whole && scan.length <= limits.max_record) {
        length = scan.length;
        return true;
      }
      if (scan.status == Status::more && window().size() < limits.max_record) {
        fill();
        continue;
      }
      if (first_line() > limits.max_record || window().find('\n') == kNowhere) {
        if (scan.status == Status::more || scan.status == Status::whole) {
          skip_overlong(record);
          return false;
        }
      }
      const bool stray = scan.status == Status::stray;
      record.problem = RecordProblem{
          scan.field < columns.size() ? columns[scan.field]
                                      : "field " + std::to_string(scan.field + 1),
          stray ? "a delimiter or the line end after the closing quote" : "a closing quote",
          stray ? (scan.found < 0x20 || scan.found > 0x7e
                       ? hex(static_cast<unsigned char>(scan.found))
                       : std::string("'") + scan.found + "'")
                : (at_end ? "the end of the file" : "none within the limit of a record")};
      length = first_line();
      return true;
    }
  }

  bool next(Record& record) {
    record.problem.reset();
    record.fields.clear();
    record.bytes = 0;
    if (!skip_blank_lines()) return false;
    record.line = line;
    record.offset = offset;
    std::size_t length = 0;
    if (!frame(record, length)) return true;
    record.raw = window().substr(0, length);
    record.bytes = length;
    if (!record.problem) check(record);
    consume(length);
    return true;
  }

  void check(Record& record) {
    const auto refuse = [&](std::string field, std::string expected, std::string found) {
      record.problem = RecordProblem{std::move(field), std::move(expected), std::move(found)};
    };
    if (const auto nul = record.raw.find('\0'); nul != kNowhere) {
      return refuse("byte " + std::to_string(nul + 1), "text", "NUL");
    }
    if (!dialect.latin1) {
      if (const auto bad = invalid_utf8(record.raw); bad != kNowhere) {
        return refuse("byte " + std::to_string(bad + 1), "UTF-8",
                      hex(static_cast<unsigned char>(record.raw[bad])));
      }
    }
    if (dialect.format == TableFormat::jsonl) return check_json(record);
    if (!columns.empty() && record.fields.size() != columns.size()) {
      return refuse("record", std::to_string(columns.size()) + " fields",
                    std::to_string(record.fields.size()));
    }
    if (dialect.latin1) {
      for (std::string_view& field : record.fields) {
        if (is_ascii(field)) continue;
        field = decoded.emplace_back(from_latin1(field));
      }
    }
  }

  void check_json(Record& record) {
    record.problem = flatten_json(record.raw, limits.max_depth, members);
    if (record.problem) return;
    record.fields.assign(columns.size(), {});
    for (const auto& [key, text] : members) {
      const auto at = index.find(key);
      if (at != index.end()) record.fields[at->second] = text;
    }
  }

  void read_mark() {
    while (end - begin < 4 && fill()) {
    }
    const std::string_view front = window();
    if (front.starts_with("\xff\xfe") || front.starts_with("\xfe\xff")) {
      raise(ErrorKind::bad_input, name, ": line 1: expected UTF-8, found UTF-16 (byte order mark)");
    }
    if (front.starts_with("\xef\xbb\xbf")) {
      header = front.substr(0, 3);
      consume(3);
    }
  }

  void read_header() {
    Record record;
    if (!next(record))
      raise(ErrorKind::bad_input, name, ": line 1: expected a header, found nothing");
    if (record.problem) {
      raise(ErrorKind::bad_input, name, ": line ", record.line, ", ", record.problem->field,
            ": expected ", record.problem->expected, ", found ", record.problem->found,
            " (in the header)");
    }
    header += record.raw;
    if (record.fields.size() > limits.max_columns) {
      raise(ErrorKind::bad_input, name, ": line ", record.line, ": expected at most ",
            limits.max_columns, " columns, found ", record.fields.size());
    }
    std::set<std::string> seen;
    for (std::string_view field : record.fields) {
      const auto first = field.find_first_not_of(' '), last = field.find_last_not_of(' ');
      std::string column(first == kNowhere ? "" : field.substr(first, last - first + 1));
      if (column.empty()) column = "column_" + std::to_string(columns.size() + 1);
      if (!seen.insert(column).second) {
        raise(ErrorKind::bad_input, name, ": line ", record.line, ", field ", columns.size() + 1,
              ": expected a name of its own, found '", column, "' a second time");
      }
      columns.push_back(std::move(column));
    }
  }
};

namespace {

// The keys of the first records, in the order of their first appearance.
std::vector<std::string> json_columns(const std::filesystem::path& path, TableDialect dialect,
                                      const RecordLimits& limits) {
  dialect.columns = {""};  // no key is wanted; the records' bytes are
  RecordReader reader(path, dialect, limits);
  Record record;
  std::vector<std::string> columns;
  std::set<std::string> seen;
  std::vector<std::pair<std::string, std::string>> members;
  for (std::int64_t i = 0; i < kJsonSample && reader.next(record); ++i) {
    if (record.problem || flatten_json(record.raw, limits.max_depth, members)) continue;
    for (const auto& [key, text] : members) {
      if (seen.insert(key).second) columns.push_back(key);
    }
  }
  if (columns.empty()) {
    raise(ErrorKind::bad_input, path.string(),
          ": expected JSON objects, one a line, found none in ", "the first ", kJsonSample,
          " records");
  }
  if (columns.size() > limits.max_columns) {
    raise(ErrorKind::bad_input, path.string(), ": expected at most ", limits.max_columns,
          " different keys, found ", columns.size());
  }
  return columns;
}

}  // namespace

RecordReader::RecordReader(const std::filesystem::path& path, TableDialect dialect,
                           RecordLimits limits)
    : state_(std::make_unique<State>(path, std::move(dialect), limits)) {
  State& s = *state_;
  s.read_mark();
  if (s.dialect.format == TableFormat::jsonl) {
    s.columns =
        s.dialect.columns.empty() ? json_columns(path, s.dialect, limits) : s.dialect.columns;
    for (std::size_t i = 0; i < s.columns.size(); ++i) s.index.emplace(s.columns[i], i);
  } else if (s.dialect.header) {
    s.read_header();
  } else if (!s.dialect.columns.empty()) {
    s.columns = s.dialect.columns;
  } else {
    // Without names the first record says how many fields there are.
    TableDialect probe = s.dialect;
    probe.columns = {"column_1"};
    RecordReader reader(path, probe, limits);
    Record record;
    std::size_t count = 1;
    while (reader.next(record)) {
      if (record.fields.empty()) continue;
      count = record.fields.size();
      break;
    }
    for (std::size_t i = 1; i <= count; ++i) s.columns.push_back("column_" + std::to_string(i));
  }
}

RecordReader::~RecordReader() = default;
RecordReader::RecordReader(RecordReader&&) noexcept = default;

const std::vector<std::string>& RecordReader::columns() const { return state_->columns; }
std::string_view RecordReader::header() const { return state_->header; }
bool RecordReader::next(Record& record) { return state_->next(record); }
std::int64_t RecordReader::blank_lines() const { return state_->blank; }
std::uint64_t RecordReader::file_position() const { return state_->stream.file_position(); }
std::uint64_t RecordReader::file_size() const { return state_->stream.file_size(); }

}  // namespace athanor::data
