#include "distill/pipeline/text_set.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>

#include "data/record_reader.h"
#include "tensor/base/error.h"
#include "tensor/ops.h"

namespace athanor::distill {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kSorted = 64;  // batches among which texts of like length meet

std::size_t column_of(const data::RecordReader& reader, const fs::path& path,
                      std::initializer_list<std::string_view> names) {
  const auto& columns = reader.columns();
  for (std::string_view name : names) {
    const auto found = std::find(columns.begin(), columns.end(), name);
    if (found != columns.end()) return static_cast<std::size_t>(found - columns.begin());
  }
  std::string all;
  for (const std::string& column : columns) all += (all.empty() ? "" : ", ") + column;
  raise(ErrorKind::bad_input, path.string(), ": expected a column ", *names.begin(), ", found ",
        all);
}

// The table of that name, or an empty path.
fs::path find_table(const fs::path& directory, const std::string& name) {
  for (const char* ending : {".tsv", ".csv", ".jsonl", ".tsv.gz", ".csv.gz", ".jsonl.gz"}) {
    if (fs::exists(directory / (name + ending))) return directory / (name + ending);
  }
  return {};
}

}  // namespace

fs::path table_at(const fs::path& directory, const std::string& name) {
  if (fs::path found = find_table(directory, name); !found.empty()) return found;
  raise(ErrorKind::bad_input, (directory / name).string(),
        ": expected it with the ending .tsv, .csv or .jsonl (or .gz of them), found none");
}

fs::path test_table(const fs::path& directory) {
  if (fs::path test = find_table(directory, "test"); !test.empty()) {
    const data::RecordReader reader(test, data::dialect_of_path(test));
    const auto& columns = reader.columns();
    if (std::find(columns.begin(), columns.end(), "label") != columns.end()) return test;
  }
  return table_at(directory, "dev");
}

TextSet read_texts(const fs::path& path, std::vector<std::string> classes) {
  data::RecordReader reader(path, data::dialect_of_path(path));
  const std::size_t text = column_of(reader, path, {"sentence", "text"});
  const std::size_t label = column_of(reader, path, {"label"});
  TextSet set;
  std::vector<std::string> labels;
  data::Record record;
  while (reader.next(record)) {
    if (record.problem) {
      raise(ErrorKind::bad_input, path.string(), ":", record.line, ": ", record.problem->field,
            ": expected ", record.problem->expected, ", found ", record.problem->found);
    }
    set.records.push_back(std::ssize(set.texts));
    set.texts.emplace_back(record.fields[text]);
    labels.emplace_back(record.fields[label]);
  }
  if (set.texts.empty()) {
    raise(ErrorKind::bad_input, path.string(), ": expected records, found none");
  }
  set.classes = std::move(classes);
  if (set.classes.empty()) {
    set.classes = labels;
    std::sort(set.classes.begin(), set.classes.end());
    set.classes.erase(std::unique(set.classes.begin(), set.classes.end()), set.classes.end());
  }
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto at = std::lower_bound(set.classes.begin(), set.classes.end(), labels[i]);
    if (at == set.classes.end() || *at != labels[i]) {
      raise(ErrorKind::bad_input, path.string(), ": record ", i + 1,
            ": expected a label of the training part, found ", labels[i]);
    }
    set.labels.push_back(at - set.classes.begin());
  }
  return set;
}

Tensor EncodedTexts::labels_of(const std::vector<std::int64_t>& which) const {
  Tensor out = empty({std::ssize(which)}, DType::i64);
  std::int64_t* to = out.data<std::int64_t>();
  for (std::int64_t i : which) *to++ = labels[static_cast<std::size_t>(i)];
  return out;
}

TokenBatch batch_of(const data::TokenRows& rows, const std::vector<std::int64_t>& which) {
  std::int64_t longest = 1;
  for (std::int64_t i : which) longest = std::max(longest, rows.length(i));
  TokenBatch batch{zeros({std::ssize(which), longest}, DType::i64),
                   empty({std::ssize(which)}, DType::i64)};
  std::int64_t* to = batch.ids.data<std::int64_t>();
  for (std::size_t b = 0; b < which.size(); ++b, to += longest) {
    const auto row = rows.row(which[b]);
    std::copy(row.begin(), row.end(), to);
    batch.lengths.data<std::int64_t>()[b] = std::ssize(row);
  }
  return batch;
}

LikeLengths::LikeLengths(const data::TokenRows& rows, std::int64_t batch, std::uint64_t seed)
    : rows_(rows),
      batch_(std::min(batch, rows.size())),
      order_(rows.size(), {std::min(batch_ * kSorted, rows.size()), seed, true, false}),
      mix_(Generator(seed).fork(7)) {}

std::vector<std::int64_t> LikeLengths::next() {
  if (ready_.empty()) fill();
  std::vector<std::int64_t> batch = std::move(ready_.back());
  ready_.pop_back();
  return batch;
}

void LikeLengths::fill() {
  std::vector<std::int64_t> some = order_.next();
  std::stable_sort(some.begin(), some.end(), [&](std::int64_t a, std::int64_t b) {
    return rows_.length(a) < rows_.length(b);
  });
  for (std::size_t i = 0; i < some.size(); i += static_cast<std::size_t>(batch_)) {
    const std::size_t end = std::min(some.size(), i + static_cast<std::size_t>(batch_));
    ready_.emplace_back(some.begin() + static_cast<std::ptrdiff_t>(i),
                        some.begin() + static_cast<std::ptrdiff_t>(end));
  }
  for (std::size_t i = ready_.size(); i > 1; --i) {
    std::swap(ready_[i - 1],
              ready_[static_cast<std::size_t>(mix_.next_below(static_cast<std::int64_t>(i)))]);
  }
}

}  // namespace athanor::distill
