#include "distill/refine/table_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <deque>
#include <nlohmann/json.hpp>
#include <optional>

#include "distill/refine/feature_values.h"
#include "tensor/base/error.h"

namespace athanor::distill {
namespace {

using data::TableFormat;

std::string_view without_line_end(std::string_view raw) {
  if (raw.ends_with('\n')) raw.remove_suffix(1);
  if (raw.ends_with('\r')) raw.remove_suffix(1);
  return raw;
}

std::string_view line_end(std::string_view raw) { return raw.ends_with("\r\n") ? "\r\n" : "\n"; }

// A field of a delimited file, quoted as the file's dialect wants it.
std::string table_field(std::string_view value, const data::TableDialect& dialect) {
  const char special[] = {dialect.delimiter, '"', '\n', '\r'};
  if (dialect.quoted && value.find_first_of(std::string_view(special, 4)) != value.npos) {
    std::string out = "\"";
    for (const char c : value) {
      out += c;
      if (c == '"') out += c;
    }
    return out + '"';
  }
  return std::string(value);
}

// Writes one output per kind of record while the input is read a second time.
class RecordFiles {
 public:
  RecordFiles(const TableRefineOptions& options, const TableRefineResult& result)
      : o_(options),
        result_(result),
        r_(result.records),
        f_(result.features),
        s_(result.selection),
        dialect_(data::dialect_of(o_.input.schema, o_.input.files.front())),
        ending_(data::name_of(dialect_.format)),
        golden_(o_.out / ("golden." + ending_)),
        dropped_(o_.out / ("dropped." + ending_)),
        scores_(o_.out / "scores.csv") {
    const auto& id = o_.input.schema.id;
    const auto at = std::find(r_.columns.begin(), r_.columns.end(), id);
    if (at != r_.columns.end()) id_ = at - r_.columns.begin();
    std::vector<std::int64_t> size(static_cast<std::size_t>(r_.size()));
    for (const std::int64_t g : f_.groups.group) ++size[g];
    group_size_ = std::move(size);
    write_headers();
  }

  void record(std::int64_t row, const data::Record& record) {
    const std::string id = id_ ? std::string(record.fields[*id_]) : std::to_string(row);
    score(row, id);
    if (s_.keep[row]) {
      put_line(golden_, record.raw, last_golden_);
      if (!splits_.empty()) {
        const auto part = static_cast<std::size_t>(result_.split[row]);
        put_line(splits_[part], record.raw, last_split_[part]);
      }
    } else {
      drop(row, record);
    }
    repair(row, id, record);
    if (!f_.links.empty() || o_.similar > 0) ids_.push_back(id);
    if (group_size_[f_.groups.group[row]] > 1) {
      if (!groups_) {
        groups_.emplace(o_.out / "groups.csv");
        *groups_ << "group,row,id,kind,keep\n";
      }
      *groups_ << fmt::format("{},{},{},{},{}\n", f_.groups.group[row], row, csv_field(id),
                              f_.groups.exact[row]          ? "exact"
                              : f_.groups.group[row] == row ? "first"
                                                            : "near",
                              int(s_.keep[row]));
    }
  }

  void rejected(std::size_t index, const data::Record& record) {
    if (!rejected_) {
      rejected_.emplace(o_.out / "rejected.csv");
      rejected_raw_.emplace(o_.out / ("rejected." + ending_ + ".raw"));
      *rejected_ << "file,line,offset,bytes,field,expected,found\n";
    }
    const RejectedRecord& r = r_.rejected[index];
    *rejected_ << fmt::format("{},{},{},{},{},{},{}\n", csv_field(o_.input.files[r.file].string()),
                              r.line, r.offset, r.bytes, csv_field(r.problem.field),
                              csv_field(r.problem.expected), csv_field(r.problem.found));
    put_line(*rejected_raw_, record.raw, last_rejected_);
  }

  void commit() {
    write_links();
    write_similar();
    golden_.commit();
    for (BufferedFile& file : splits_) file.commit();
    dropped_.commit();
    scores_.commit();
    for (auto* file : {&rejected_, &rejected_raw_, &repairs_, &repaired_, &groups_}) {
      if (*file) (*file)->commit();
    }
  }

 private:
  void write_headers() {
    data::RecordReader reader(o_.input.files.front(), dialect_);
    header_ = reader.header();
    golden_ << header_;
    if (o_.split) {
      for (const std::string_view name : kSplitNames) {
        splits_.emplace_back(o_.out / fmt::format("golden-{}.{}", name, ending_)) << header_;
      }
    }
    if (dialect_.format != TableFormat::jsonl && dialect_.header) {
      const std::string end(line_end(header_));
      dropped_ << without_line_end(header_)
               << fmt::format("{0}athanor_row{0}athanor_reason{1}", dialect_.delimiter, end);
    }
    scores_ << scores_header();
  }

  void write_links() const {
    if (o_.features.link.fields.empty()) return;
    BufferedFile links(o_.out / "links.csv");
    links << "row_a,row_b,id_a,id_b,similarity,posterior\n";
    for (const Link& link : f_.links) {
      links << fmt::format("{},{},{},{},{:.4f},{:.4f}\n", link.a, link.b, csv_field(ids_[link.a]),
                           csv_field(ids_[link.b]), link.similarity, link.posterior);
    }
    links.commit();
  }

  void write_similar() const {
    if (o_.similar == 0) return;
    BufferedFile file(o_.out / "similar.csv");
    file << "row,id,rank,other,other_id,similarity\n";
    std::int64_t before = -1, rank = 0;
    for (const SimilarRecord& s : result_.similar) {
      rank = s.row == before ? rank + 1 : 1;
      before = s.row;
      file << fmt::format("{},{},{},{},{},{:.4f}\n", s.row, csv_field(ids_[s.row]), rank, s.other,
                          csv_field(ids_[s.other]), s.similarity);
    }
    file.commit();
  }

  // A last line without line end gets one when something follows it.
  static void put_line(BufferedFile& file, std::string_view raw, std::string& last) {
    if (!last.empty() && last.back() != '\n') file << "\n";
    file << raw;
    last = raw.empty() ? "" : std::string(1, raw.back());
  }

  void score(std::int64_t row, const std::string& id) {
    line_.clear();
    auto out = std::back_inserter(line_);
    fmt::format_to(out, "{},{},{},{}", row, csv_field(id), int(s_.keep[row]),
                   csv_field(s_.reasons.text(s_.reason[row])));
    const auto put = [&](double value) {
      char digits[32];
      line_ += ',';
      if (!is_applicable(value)) return;
      // As printf's %.6g.
      const auto end =
          std::to_chars(digits, digits + sizeof digits, value, std::chars_format::general, 6);
      line_.append(digits, end.ptr);
    };
    const FeatureRow& x = f_.row[row];
    for (const double value : {f_.score[row], x[0], x[1], f_.consistency[row], f_.diversity[row]}) {
      put(value);
    }
    for (std::size_t k = 2; k < kFeatures; ++k) put(x[k]);
    put(f_.weight3[row]);
    put(f_.weight4[row]);
    line_ += '\n';
    scores_ << line_;
  }

  void drop(std::int64_t row, const data::Record& record) {
    const std::string& reason = s_.reasons.text(s_.reason[row]);
    const std::string_view raw = without_line_end(record.raw);
    if (dialect_.format == TableFormat::jsonl) {
      dropped_ << fmt::format("{{\"athanor_row\":{},\"athanor_reason\":{},\"record\":", row,
                              nlohmann::json(reason).dump())
               << raw << "}\n";
    } else {
      dropped_ << raw
               << fmt::format("{0}{1}{0}{2}{3}", dialect_.delimiter, row,
                              table_field(reason, dialect_), line_end(record.raw));
    }
  }

  void repair(std::int64_t row, const std::string& id, const data::Record& record) {
    const std::size_t first = issue_;
    while (issue_ < r_.issues.size() && r_.issues[issue_].row == row) ++issue_;
    if (issue_ > first && !repairs_) {
      repairs_.emplace(o_.out / "repairs.csv");
      *repairs_ << "row,id,column,fault,found,has_suggestion,suggestion\n";
    }
    for (std::size_t k = first; k < issue_; ++k) {
      const CellIssue& issue = r_.issues[k];
      *repairs_ << fmt::format(
          "{},{},{},{},{},{},{}\n", row, csv_field(id), csv_field(r_.columns[issue.column]),
          name_of(issue.fault), csv_field(record.fields[issue.column]),
          int(issue.suggestion.has_value()), csv_field(issue.suggestion.value_or("")));
    }
    if (o_.repair) write_repaired(first, record);
  }

  void write_repaired(std::size_t first, const data::Record& record) {
    if (!repaired_) {
      repaired_.emplace(o_.out / ("repaired." + ending_));
      *repaired_ << header_;
    }
    std::vector<std::string> fields;
    bool changed = false;
    for (std::size_t k = first; k < issue_; ++k) {
      // Where several checks speak, the last suggestion counts: dependencies come after types.
      if (!r_.issues[k].suggestion) continue;
      if (fields.empty()) fields.assign(record.fields.begin(), record.fields.end());
      fields[r_.issues[k].column] = *r_.issues[k].suggestion;
      changed = true;
    }
    if (!changed) return put_line(*repaired_, record.raw, last_repaired_);
    std::string line;
    if (dialect_.format == TableFormat::jsonl) {
      nlohmann::ordered_json object = nlohmann::ordered_json::parse(record.raw);
      for (std::size_t k = first; k < issue_; ++k) {
        const CellIssue& issue = r_.issues[k];
        // A member of a nested object keeps its place only in the file it came from.
        if (issue.suggestion) object[r_.columns[issue.column]] = *issue.suggestion;
      }
      line = object.dump();
    } else {
      for (const std::string& field : fields) {
        line += (&field == fields.data() ? "" : std::string(1, dialect_.delimiter)) +
                table_field(field, dialect_);
      }
    }
    put_line(*repaired_, line + std::string(line_end(record.raw)), last_repaired_);
  }

  const TableRefineOptions& o_;
  const TableRefineResult& result_;
  const TableRecords& r_;
  const TableFeatures& f_;
  const TableSelection& s_;
  const data::TableDialect dialect_;
  const std::string ending_;
  std::string header_, line_;
  std::optional<std::int64_t> id_;
  std::vector<std::int64_t> group_size_;
  BufferedFile golden_, dropped_, scores_;
  std::deque<BufferedFile> splits_;  // of kSplitNames
  std::array<std::string, 3> last_split_;
  std::optional<BufferedFile> rejected_, rejected_raw_, repairs_, repaired_, groups_;
  std::vector<std::string> ids_;  // where links or similar records are written
  std::string last_golden_, last_rejected_, last_repaired_;
  std::size_t issue_ = 0;
};

}  // namespace

std::string csv_field(std::string_view value) {
  data::TableDialect csv;
  return table_field(value, csv);
}

std::vector<Slicing> write_record_files(const TableRefineOptions& options,
                                        const TableRefineResult& result, ProgressSink& progress) {
  ProgressTask task(progress, "write", result.records.size(), "records");
  RecordFiles files(options, result);
  SliceCounts slices(options.input, result.records, result.selection.keep);
  for_each_record(
      options.input, result.records,
      [&](std::int64_t row, const data::Record& record) {
        files.record(row, record);
        slices.record(row, record);
        if (row % 16384 == 0) {
          task.update(row);
          if (options.input.stop && options.input.stop()) throw TableInterrupted{};
        }
      },
      [&](std::size_t index, const data::Record& record) { files.rejected(index, record); });
  files.commit();
  task.update(result.records.size());
  return slices.slicings();
}

std::string table_summary(const TableRefineOptions& options, const TableRefineResult& result) {
  using Json = nlohmann::ordered_json;
  const TableRecords& r = result.records;
  const TableFeatures& f = result.features;
  const TableSelection& s = result.selection;
  const auto number = [](double value) { return is_applicable(value) ? Json(value) : Json(); };
  Json means = Json::object(), absent = Json::object(), reasons = Json::object(),
       rules = Json::object(), classes = Json::object();
  const auto add = [&](const std::string& name, const std::vector<double>& values) {
    means[name] = number(applicable_mean(values));
    absent[name] =
        std::count_if(values.begin(), values.end(), [](double v) { return !is_applicable(v); });
  };
  std::vector<double> values(static_cast<std::size_t>(r.size()));
  for (std::size_t k = 0; k < kFeatures; ++k) {
    for (std::int64_t i = 0; i < r.size(); ++i) values[i] = f.row[i][k];
    add(std::string(kFeatureNames[k]), values);
  }
  add("consistency", f.consistency);
  add("diversity", f.diversity);
  add("weight3", f.weight3);
  add("weight4", f.weight4);
  add("score", f.score);
  std::vector<std::int64_t> count(static_cast<std::size_t>(s.reasons.size()));
  for (const std::int32_t reason : s.reason) ++count[reason];
  for (std::size_t k = 1; k < count.size(); ++k) {
    if (count[k] > 0) reasons[s.reasons.text(static_cast<std::int64_t>(k))] = count[k];
  }
  for (const RuleCheck& check : r.checks) rules[check.name] = check.broken;
  for (const Slice& slice : slices_by_class(r, s.keep).slices) {
    classes[slice.name] = {{"total", slice.total}, {"kept", slice.kept}};
  }
  Json slicings = Json::object();
  for (const Slicing& slicing : result.slicings) {
    for (const Slice& slice : slicing.slices) {
      slicings[slicing.by].push_back(
          {{"name", slice.name}, {"total", slice.total}, {"kept", slice.kept}});
    }
  }
  Json parts = Json::object();
  for (std::size_t k = 0; k < kSplitNames.size() && !result.split.empty(); ++k) {
    parts[std::string(kSplitNames[k])] =
        std::count(result.split.begin(), result.split.end(), static_cast<std::int8_t>(k));
  }
  const auto copies = std::count(f.groups.exact.begin(), f.groups.exact.end(), 1);
  const auto rejected = static_cast<std::int64_t>(r.rejected.size());
  const Json summary = {
      {"total", r.size() + rejected},
      {"kept", s.kept},
      {"dropped", r.size() - s.kept},
      {"rejected", rejected},
      {"blank_lines", r.blank_lines},
      {"mean", means},
      {"not_applicable", absent},
      {"dropped_by_reason", reasons},
      {"rules_broken", rules},
      {"classes", classes},
      {"slices", slicings},
      {"kept_for_their_class", s.saved},
      {"splits", parts},
      {"exact_duplicates", copies},
      {"duplicate_groups", f.groups.count},
      {"faulty_fields", r.issues.size()},
      {"suspect_labels", std::count(f.suspect.begin(), f.suspect.end(), 1)},
      {"trusted_records", f.trusted},
      {"trusted_overlap", f.trusted_overlap},
      {"proxy_agreement", number(f.agreement)},
      {"set_entropy", f.set_entropy},
      {"freshness_underflow", f.freshness_underflow},
      {"half_life_seconds", number(f.half_life)},
      {"records_per_second", static_cast<double>(r.size()) / std::max(result.seconds, 1e-9)},
      {"seconds", result.seconds},
      {"schema", data::to_toml(options.input.schema)},
      {"notes", f.notes}};
  return summary.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace athanor::distill
