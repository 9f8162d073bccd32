#include "distill/refine/trusted_set.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "data/record_reader.h"
#include "distill/refine/table_arrays.h"
#include "tensor/base/error.h"
#include "tensor/ops/cat.h"

namespace athanor::distill {
namespace {

// Those of `columns` that `chosen` holds, in their order.
std::vector<std::string> of_them(const std::vector<std::string>& columns,
                                 const std::set<std::string>& chosen) {
  std::vector<std::string> names;
  for (const std::string& name : columns) {
    if (chosen.contains(name)) names.push_back(name);
  }
  return names;
}

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

// The file as the table's schema reads it, without rules. Of a table of texts the text and label
// columns are needed, of another one all but id and time, and those with content may not stand
// elsewhere: a value's column is part of what it says.
TableInput trusted_input(const TableInput& table, const TableRecords& records,
                         const std::filesystem::path& file) {
  TableInput input;
  input.files = {file};
  input.schema_folder = table.schema_folder;
  input.strict = true;
  input.stop = table.stop;
  data::TableSchema& schema = input.schema = table.schema;
  schema.format.reset();
  schema.rules.clear();
  const std::vector<std::string> columns =
      data::RecordReader(file, data::dialect_of(schema, file)).columns();
  std::set<std::string> needed(schema.text.begin(), schema.text.end());
  for (data::ColumnSpec& column : schema.columns) {
    if (!data::is_media(column.type)) continue;
    needed.insert(column.name);
    if (column.type == data::ColumnType::embedding) column.width = records.media.width;
  }
  if (schema.text.empty()) {
    needed.insert(records.columns.begin(), records.columns.end());
    for (const std::string& role : {schema.id, schema.time, schema.label}) needed.erase(role);
  }
  const std::set<std::string> there(columns.begin(), columns.end());
  std::vector<std::string> wanted = of_them(records.columns, needed);
  bool fits = of_them(columns, needed) == wanted && there.contains(schema.label);
  for (std::size_t c = 0; fits && schema.text.empty() && c < records.columns.size(); ++c) {
    fits = !needed.contains(records.columns[c]) ||
           (c < columns.size() && columns[c] == records.columns[c]);
  }
  if (!fits) {
    wanted.push_back(schema.label);
    raise(ErrorKind::bad_input, file.string(), ": expected the table's columns ", listed(wanted),
          schema.text.empty() ? " at its places" : " in its order", ", found ", listed(columns));
  }
  if (!there.contains(schema.id)) schema.id.clear();
  if (!there.contains(schema.time)) schema.time.clear();
  std::erase_if(schema.columns, [&](const auto& column) { return !there.contains(column.name); });
  return input;
}

// Place of each class of `theirs` among the table's.
std::vector<std::int64_t> classes_of(const TableRecords& ours, const TableRecords& theirs,
                                     const std::string& file) {
  std::map<std::string, std::int64_t> place;
  for (std::int64_t c = 0; c < ours.label_names.size(); ++c) place[ours.label_names.text(c)] = c;
  std::vector<std::int64_t> number;
  for (std::int64_t c = 0; c < theirs.label_names.size(); ++c) {
    const auto at = place.find(theirs.label_names.text(c));
    if (at == place.end()) {
      const auto row = std::find(theirs.label.begin(), theirs.label.end(), c);
      raise(ErrorKind::bad_input, file, ": record ", row - theirs.label.begin() + 1,
            ": expected a label that the table has, found '", theirs.label_names.text(c), "'");
    }
    number.push_back(at->second);
  }
  return number;
}

}  // namespace

std::int64_t TrustedSet::overlap() const {
  return std::count_if(row.begin(), row.end(), [](std::int64_t r) { return r >= 0; });
}

std::string TrustedSet::note(std::int64_t earlier) const {
  std::string note = str("trusted: ", size(), " verified records beside the table");
  if (overlap() == 0) return note;
  const auto first = std::find_if(row.begin(), row.end(), [](std::int64_t r) { return r >= 0; });
  note += str("; ", overlap(), " of them say the same as records of the table (first: row ", *first,
              "), whose labels they settle");
  const auto judged =
      std::count_if(row.begin(), row.end(), [&](std::int64_t r) { return r >= 0 && r < earlier; });
  if (judged > 0) note += str(" but for the verdicts of ", judged, " that were judged before");
  return note;
}

TrustedSet read_trusted(const TableInput& table, const TableRecords& records,
                        const TrustedFiles& files, std::int64_t width, ProgressSink& progress) {
  if (!records.has_label) {
    raise(ErrorKind::usage, "--trusted: expected a table with a label column, found none");
  }
  if (width > 0 && files.embeddings.empty()) {
    raise(ErrorKind::usage,
          "--trusted: expected --trusted-embeddings as well, since --embeddings are given");
  }
  if (width == 0 && records.media.any() && !files.embeddings.empty()) {
    raise(ErrorKind::usage, "--trusted-embeddings: expected none, since the table has columns of ",
          "pictures, sounds or embeddings, and the verified records have them, too");
  }
  if (width == 0 && !files.embeddings.empty()) {
    raise(ErrorKind::usage, "--trusted-embeddings: expected --embeddings as well, got none");
  }
  const std::string file = files.records.string();
  TableRecords theirs = read_table(trusted_input(table, records, files.records), progress);
  const std::int64_t n = theirs.size();
  for (std::int64_t i = 0; i < n; ++i) {
    if (theirs.missing[i] < 0) continue;
    raise(ErrorKind::bad_input, file, ": record ", i + 1, ": expected a value of '",
          theirs.columns[theirs.missing[i]], "', found none",
          theirs.missing_fault[i] == CellFault::absent
              ? std::string()
              : " that can be used (" + std::string(name_of(theirs.missing_fault[i])) + ")");
  }
  const std::vector<std::int64_t> number = classes_of(records, theirs, file);
  TrustedSet trusted;
  for (const std::int64_t y : theirs.label) trusted.label.push_back(number[y]);
  std::map<ContentHash, std::int64_t> first, ours;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto [at, fresh] = first.emplace(theirs.content[i], i);
    if (!fresh && trusted.label[at->second] != trusted.label[i]) {
      raise(ErrorKind::bad_input, file, ": records ", at->second + 1, " and ", i + 1,
            " say the same: expected one label, found '",
            theirs.label_names.text(theirs.label[at->second]), "' and '",
            theirs.label_names.text(theirs.label[i]), "'");
    }
  }
  for (std::int64_t i = 0; i < records.size(); ++i) {
    if (first.contains(records.content[i])) ours.emplace(records.content[i], i);
  }
  for (std::int64_t i = 0; i < n; ++i) {
    const auto at = ours.find(theirs.content[i]);
    trusted.row.push_back(at == ours.end() ? -1 : at->second);
  }
  trusted.tokens = std::move(theirs.tokens);
  if (records.media.any() && width == 0) trusted.embeddings = vectors_of(theirs.media);
  trusted.looks = theirs.media.main_looks();
  if (width > 0) {
    trusted.embeddings = load_vectors({files.embeddings}, n);
    if (trusted.embeddings.size(1) != width) {
      raise(ErrorKind::bad_input, files.embeddings.string(), ": expected ", width,
            " numbers a record as in --embeddings, found ", trusted.embeddings.size(1));
    }
  }
  return trusted;
}

LabelTask label_task(const TableRecords& records, const Tensor& embeddings,
                     const std::vector<std::int64_t>& group, const std::vector<char>& sound,
                     const TrustedSet* trusted) {
  LabelTask task;
  task.judged = records.size();
  task.classes = records.label_names.size();
  task.label = records.label;
  task.time = records.time;
  task.group = group;
  task.sound = sound;
  task.truth.assign(task.label.size(), -1);
  task.embeddings = embeddings;
  if (trusted == nullptr) {
    task.tokens = std::shared_ptr<const TokenRows>(std::shared_ptr<void>(), &records.tokens);
    return task;
  }
  auto tokens = std::make_shared<TokenRows>(records.tokens);
  std::map<ContentHash, std::int64_t> vouched;
  for (std::int64_t k = 0; k < trusted->size(); ++k) {
    tokens->add(trusted->tokens.row(k));
    if (trusted->row[k] >= 0) vouched[records.content[trusted->row[k]]] = trusted->label[k];
  }
  for (std::int64_t i = 0; i < task.judged; ++i) {
    const auto at = vouched.find(records.content[i]);
    if (at != vouched.end()) task.truth[i] = at->second;
  }
  // Groups are numbered by one of their records, so that numbers from `judged` on are free.
  for (std::int64_t k = 0; k < trusted->size(); ++k) {
    const std::int64_t row = trusted->row[k];
    task.group.push_back(row >= 0 ? group[row] : task.judged + k);
    task.label.push_back(trusted->label[k]);
    task.truth.push_back(trusted->label[k]);
    task.time.push_back(std::numeric_limits<double>::quiet_NaN());
    task.sound.push_back(1);
  }
  task.tokens = std::move(tokens);
  if (embeddings.defined()) {
    task.embeddings = cat(std::vector<Tensor>{embeddings, trusted->embeddings}, 0);
  }
  return task;
}

}  // namespace athanor::distill
