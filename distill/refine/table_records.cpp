#include "distill/refine/table_records.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "data/time_text.h"
#include "distill/refine/feature_values.h"
#include "tensor/base/error.h"
#include "tensor/base/parallel.h"

namespace athanor::distill {
namespace {

constexpr std::int64_t kBatch = 4096;
constexpr std::int64_t kLookBatch = 256;  // where files are decoded, which a stop waits for
constexpr std::size_t kMaxContent = std::size_t{64} << 10;

// A column with what is needed to judge its values.
struct Field {
  std::size_t index = 0;
  data::ColumnSpec spec;
  std::vector<std::string> sentinels;
};

// Cuts UTF-8 text at a character.
std::string_view cut(std::string_view text, std::size_t size) {
  if (text.size() <= size) return text;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  return text.substr(0, size);
}

class TableReading {
 public:
  TableReading(const TableInput& input, ProgressSink& progress)
      : input_(input), schema_(input.schema), progress_(progress) {}

  TableRecords run() {
    std::uint64_t total = 0;
    for (const auto& file : input_.files) {
      std::error_code error;
      const auto size = std::filesystem::file_size(file, error);
      if (!error) total += size;
    }
    ProgressTask task(progress_, "read", static_cast<std::int64_t>(total >> 10), "KiB");
    for (std::size_t f = 0; f < input_.files.size(); ++f) read_file(f, task);
    r_.checks = rules_->finish(r_.issues);
    r_.media = media_->finish();
    std::stable_sort(r_.issues.begin(), r_.issues.end(), [](const auto& a, const auto& b) {
      return a.row != b.row ? a.row < b.row : a.column < b.column;
    });
    if (r_.size() == 0) {
      raise(ErrorKind::bad_input, input_.files.front().string(),
            ": expected at least one record, found none (", r_.rejected.size(), " rejected)");
    }
    task.set_result(fmt::format("{} records, {} rejected", r_.size(), r_.rejected.size()));
    return std::move(r_);
  }

 private:
  void read_file(std::size_t f, ProgressTask& task) {
    const auto& path = input_.files[f];
    data::TableDialect dialect = data::dialect_of(schema_, path);
    if (f > 0 && dialect.format == data::TableFormat::jsonl) dialect.columns = r_.columns;
    data::RecordReader reader(path, dialect);
    if (f == 0) {
      begin(reader.columns(), path);
    } else if (reader.columns() != r_.columns) {
      raise(ErrorKind::bad_input, path.string(), ": expected the columns of ",
            input_.files.front().string(), ", found others");
    }
    media_->begin_file(path);
    data::Record record;
    const std::int64_t before = r_.size() + std::ssize(raw_);
    while (reader.next(record)) {
      if (record.problem) {
        reject(f, path, record);
        continue;
      }
      take(record);
      if (std::ssize(raw_) < (looks_ ? kLookBatch : kBatch)) continue;
      finish_batch();
      task.update(static_cast<std::int64_t>((done_ + reader.file_position()) >> 10),
                  fmt::format("{} records", r_.size()));
      if (input_.stop && input_.stop()) throw TableInterrupted{};
    }
    finish_batch();
    done_ += reader.file_position();
    r_.blank_lines += reader.blank_lines();
    r_.rows_of_file.push_back(r_.size() - before);
  }

  void reject(std::size_t f, const std::filesystem::path& path, const data::Record& record) {
    const data::RecordProblem& p = *record.problem;
    if (input_.strict) {
      raise(ErrorKind::bad_input, path.string(), ": line ", record.line, ", ", p.field,
            ": expected ", p.expected, ", found ", p.found);
    }
    r_.rejected.push_back({f, record.line, record.offset, record.bytes, p});
  }

  void begin(const std::vector<std::string>& columns, const std::filesystem::path& path) {
    data::check_schema(schema_, columns, path.string());
    r_.columns = columns;
    r_.has_text = !schema_.text.empty();
    r_.has_label = !schema_.label.empty();
    r_.has_time = !schema_.time.empty();
    rules_ = std::make_unique<TableRules>(schema_, columns, input_.schema_folder);
    media_ = std::make_unique<MediaReading>(schema_, columns, path, input_.schema_folder);
    for (std::size_t k = 0; k < media_->columns().size(); ++k) {
      looks_ = looks_ || media_->type(k) != data::ColumnType::embedding;
    }
    for (std::size_t c = 0; c < columns.size(); ++c) {
      Field field{c, schema_.column(columns[c]), schema_.sentinels};
      field.sentinels.insert(field.sentinels.end(), field.spec.sentinels.begin(),
                             field.spec.sentinels.end());
      const std::string& name = columns[c];
      const bool is_text =
          std::find(schema_.text.begin(), schema_.text.end(), name) != schema_.text.end();
      if (name == schema_.label) label_ = c;
      if (name == schema_.time) time_ = c;
      if (name == input_.group) group_ = c;
      const bool role = name == schema_.id || name == schema_.label || name == schema_.time;
      const bool media = data::is_media(field.spec.type);
      if (r_.has_text ? is_text : !role && !media) words_.push_back(c);
      if (is_text) text_.push_back(c);
      fields_.push_back(std::move(field));
    }
    if (!input_.group.empty() && !group_) {
      raise(ErrorKind::usage, "--split-group: expected a column of ", path.string(), ", found '",
            input_.group, "'");
    }
  }

  // The part of the work that needs the record's own fields, which are gone with the next record.
  void take(const data::Record& record) {
    const std::int64_t row = r_.size() + std::ssize(raw_);
    rules_->add(record.fields);
    judge_fields(row, record);
    std::string_view label = r_.has_label ? data::trimmed(record.fields[label_]) : "";
    if (r_.has_label && data::is_absent(label, fields_[label_].sentinels)) label = "";
    r_.label.push_back(label.empty() ? -1 : r_.label_names.number(label));
    if (group_) {
      const std::string_view group = data::trimmed(record.fields[*group_]);
      const bool absent = data::is_absent(group, fields_[*group_].sentinels);
      r_.group.push_back(absent ? -1 : r_.group_names.number(group));
    }
    double time = kNotApplicable;
    if (r_.has_time) {
      const auto& formats = fields_[time_].spec.time_formats;
      time = data::parse_time(data::trimmed(record.fields[time_]),
                              formats.empty() ? data::usual_time_formats() : formats);
    }
    r_.time.push_back(time);
    std::int32_t missing = -1;
    if (r_.has_label && label.empty()) missing = static_cast<std::int32_t>(label_);
    const bool any_text = std::any_of(text_.begin(), text_.end(), [&](std::size_t c) {
      return !data::is_absent(record.fields[c], fields_[c].sentinels);
    });
    if (r_.has_text && !any_text) missing = static_cast<std::int32_t>(text_.front());
    r_.missing.push_back(missing);
    r_.missing_fault.push_back(CellFault::absent);
    media_->add(record.fields);
    std::string& raw = raw_.emplace_back();
    const bool said_by_words = r_.has_text || media_->columns().empty();
    for (std::size_t c : said_by_words ? words_ : std::vector<std::size_t>{}) {
      if (!raw.empty()) raw += '\n';
      raw += record.fields[c];
    }
    if (!r_.has_text) fields_as_words_.push_back(fields_as_words(record));
  }

  // Completeness, and the faults of single fields that the columns' specifications tell.
  void judge_fields(std::int64_t row, const data::Record& record) {
    double good = 0, asked = 0;
    for (const Field& field : fields_) {
      const data::ColumnSpec& spec = field.spec;
      if (data::is_media(spec.type)) continue;  // judge_media() looks at what it holds
      const std::string_view value = data::trimmed(record.fields[field.index]);
      const auto fault = fault_of(field, value);
      if (spec.required) {
        asked += spec.weight;
        if (!fault) good += spec.weight;
      }
      if (!fault) continue;
      // An empty field is a fault only where a value is asked for.
      if (*fault == CellFault::absent && !spec.required) continue;
      CellIssue issue{row, static_cast<std::int32_t>(field.index), *fault, {}};
      if (*fault == CellFault::sentinel) issue.suggestion = "";
      if (*fault == CellFault::type && spec.type == data::ColumnType::number) {
        issue.suggestion = leading_number(value);
      }
      r_.issues.push_back(std::move(issue));
    }
    r_.completeness.push_back(asked > 0 ? good / asked : kNotApplicable);
    good_.push_back(good);
    asked_.push_back(asked);
  }

  // The same for pictures, sounds and vectors of the batch, whose first row is `first`, and what
  // they add to what the records say.
  void judge_media(std::size_t first) {
    const std::vector<std::size_t>& columns = media_->columns();
    if (columns.empty()) return;
    const std::vector<MediaField> fields = media_->read();
    const bool other_content = r_.has_text || columns.size() > 1;
    for (std::size_t f = 0; f < fields.size(); ++f) {
      const std::size_t i = f / columns.size(), k = f % columns.size(), row = first + i;
      const data::ColumnSpec& spec = media_->spec(k);
      const auto& fault = fields[f].fault;
      const bool vector = spec.type == data::ColumnType::embedding;
      if (spec.required) {
        asked_[i] += spec.weight;
        if (!fault) good_[i] += spec.weight;
        r_.completeness[row] = good_[i] / asked_[i];
      }
      // What a record says; a vector is another form of that where there is something else.
      if (!vector || !(r_.has_text || looks_)) {
        const std::uint64_t bytes[4] = {r_.content[row][0], r_.content[row][1], fields[f].hash[0],
                                        fields[f].hash[1]};
        r_.content[row] = content_hash(bytes, sizeof bytes);
      }
      if (!fault) continue;
      const bool absent = *fault == CellFault::absent || *fault == CellFault::sentinel;
      if (*fault != CellFault::absent || spec.required) {
        r_.issues.push_back(
            {static_cast<std::int64_t>(row), static_cast<std::int32_t>(columns[k]), *fault, {}});
        if (*fault == CellFault::sentinel) r_.issues.back().suggestion = "";
      }
      // A picture or sound may be lacking where something else says what the record says.
      if (absent && !vector && !spec.required && other_content) continue;
      if (r_.missing[row] >= 0) continue;
      r_.missing[row] = static_cast<std::int32_t>(columns[k]);
      r_.missing_fault[row] = *fault;
    }
  }

  static std::optional<CellFault> fault_of(const Field& field, std::string_view value) {
    const data::ColumnSpec& spec = field.spec;
    if (value.empty()) return CellFault::absent;
    if (data::is_absent(value, field.sentinels)) return CellFault::sentinel;
    if (spec.type == data::ColumnType::number) {
      const auto number = data::parse_number(value);
      if (!number) return CellFault::type;
      if (*number < spec.min || *number > spec.max) return CellFault::range;
    } else if (spec.type == data::ColumnType::timestamp) {
      const auto& formats = spec.time_formats;
      if (std::isnan(
              data::parse_time(value, formats.empty() ? data::usual_time_formats() : formats))) {
        return CellFault::type;
      }
    }
    return {};
  }

  // A record without text as words: each word of a field with the column's number before it,
  // numbers rounded to two digits.
  std::string fields_as_words(const data::Record& record) const {
    std::string out;
    for (std::size_t c : words_) {
      std::string_view value = record.fields[c];
      if (data::is_absent(value, fields_[c].sentinels)) continue;
      std::string rounded;
      if (fields_[c].spec.type == data::ColumnType::number) {
        if (const auto number = data::parse_number(value)) {
          rounded = fmt::format("{:.1e}", *number);
          std::erase_if(rounded, [](char ch) { return ch == '.' || ch == '+'; });
          std::replace(rounded.begin(), rounded.end(), '-', 'm');
          value = rounded;
        }
      }
      const std::string normal = normalised(value);
      for (std::size_t begin = 0; begin < normal.size();) {
        const std::size_t end = std::min(normal.find(' ', begin), normal.size());
        fmt::format_to(std::back_inserter(out), "{}c{}x{}", out.empty() ? "" : " ", c,
                       std::string_view(normal).substr(begin, end - begin));
        begin = end + 1;
      }
    }
    return out;
  }

  void finish_batch() {
    const std::int64_t n = std::ssize(raw_);
    const std::size_t first = r_.content.size();
    std::vector<std::string> normal(raw_.size());
    std::vector<std::vector<std::uint32_t>> tokens(raw_.size());
    r_.content.resize(first + raw_.size());
    if (r_.has_text) {
      r_.surface.resize(first + raw_.size());
      r_.bands.resize(first + raw_.size());
    }
    parallel_for(n, 128, [&](std::int64_t begin, std::int64_t end) {
      Words words;
      std::vector<std::uint32_t> grams;
      for (std::int64_t i = begin; i < end; ++i) {
        const std::string& raw = raw_[i];
        r_.content[first + i] = content_hash(raw.data(), raw.size());
        if (!r_.has_text) {
          normal[i] = cut(fields_as_words_[i], kMaxContent);
          split_words(normal[i], words);
          tokens_of_words(words.hash, tokens[i]);
          continue;
        }
        normal[i] = normalised(raw);
        split_words(normal[i], words);
        r_.surface[first + i] = check_text(raw, words);
        hash_grams(normal[i], grams);
        r_.bands[first + i] = band_keys(minhash_signature(grams));
        if (normal[i].size() > kMaxContent) {
          normal[i] = cut(normal[i], kMaxContent);
          split_words(normal[i], words);
        }
        tokens_of_words(words.hash, tokens[i]);
      }
    });
    for (const std::string& text : normal) r_.text.add(text);
    for (const std::vector<std::uint32_t>& row : tokens) r_.tokens.add(row);
    judge_media(first);
    raw_.clear();
    fields_as_words_.clear();
    good_.clear();
    asked_.clear();
  }

  const TableInput& input_;
  const data::TableSchema& schema_;
  ProgressSink& progress_;
  TableRecords r_;
  std::unique_ptr<TableRules> rules_;
  std::unique_ptr<MediaReading> media_;
  std::vector<Field> fields_;
  std::vector<std::size_t> words_, text_;  // columns
  bool looks_ = false;                     // there are pictures or sounds
  std::size_t label_ = 0, time_ = 0;
  std::optional<std::size_t> group_;
  std::vector<std::string> raw_, fields_as_words_;  // of the batch
  std::vector<double> good_, asked_;                // weights of its required fields
  std::uint64_t done_ = 0;                          // bytes of the files before
};

}  // namespace

TableRecords read_table(const TableInput& input, ProgressSink& progress) {
  if (input.files.empty()) raise(ErrorKind::usage, "refine: expected an input file, got none");
  return TableReading(input, progress).run();
}

void for_each_record(const TableInput& input, const TableRecords& records,
                     const std::function<void(std::int64_t, const data::Record&)>& use,
                     const std::function<void(std::size_t, const data::Record&)>& rejected) {
  std::int64_t row = 0;
  std::size_t bad = 0;
  for (std::size_t f = 0; f < input.files.size(); ++f) {
    data::TableDialect dialect = data::dialect_of(input.schema, input.files[f]);
    if (dialect.format == data::TableFormat::jsonl) dialect.columns = records.columns;
    data::RecordReader reader(input.files[f], dialect);
    data::Record record;
    const std::int64_t end = row + records.rows_of_file[f];
    while (reader.next(record)) {
      const bool known = record.problem ? bad < records.rejected.size() : row < end;
      if (!known) break;
      if (record.problem) {
        rejected(bad++, record);
      } else {
        use(row++, record);
      }
    }
    if (row != end || reader.next(record)) {
      raise(ErrorKind::runtime, input.files[f].string(), ": changed while it was being refined");
    }
  }
}

}  // namespace athanor::distill
