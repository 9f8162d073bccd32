#include "data/graph_files.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>
#include <unordered_map>

#include "data/record_reader.h"
#include "tensor/base/error.h"

namespace athanor::data {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMaxFeatures = 10'000'000;
constexpr std::int64_t kMaxElements = std::int64_t{1} << 33;

[[noreturn]] void refuse(const fs::path& file, const Record& record, std::string_view field,
                         const std::string& expected, std::string_view found) {
  raise(ErrorKind::bad_input, file.string(), ": line ", record.line, ": ", field, ": expected ",
        expected, ", found \"", found.substr(0, 80), "\"");
}

void check(const fs::path& file, const Record& record) {
  if (record.problem) {
    refuse(file, record, record.problem->field, record.problem->expected, record.problem->found);
  }
}

// Column numbers, -1 where there is none.
std::int64_t find_column(const std::vector<std::string>& columns, const std::string& name) {
  const auto at = std::find(columns.begin(), columns.end(), name);
  return at == columns.end() ? -1 : at - columns.begin();
}

template <class T>
std::optional<T> number_of(std::string_view text) {
  T value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Calls each(word) for the blank-separated words of a text.
template <class F>
void each_word(std::string_view text, F&& each) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    if (end > at) each(text.substr(at, end - at));
    at = end + 1;
  }
}

class Nodes {
 public:
  Nodes(const fs::path& file, const GraphFileOptions& options) : file_(file) {
    RecordReader reader(file, dialect_of_path(file));
    const auto& columns = reader.columns();
    id_ = find_column(columns, options.id);
    label_ = find_column(columns, options.label);
    split_ = find_column(columns, options.split);
    const std::int64_t indices = find_column(columns, options.indices);
    sparse_ = indices >= 0;
    features_ = sparse_ ? indices : find_column(columns, options.values);
    if (id_ < 0 || features_ < 0) {
      raise(ErrorKind::bad_input, file.string(), ": expected a column ", options.id, " and one of ",
            options.indices, " and ", options.values, ", found neither or one");
    }
    for (Record record; reader.next(record);) {
      check(file, record);
      add(record);
    }
    if (ids.empty()) raise(ErrorKind::bad_input, file.string(), ": expected nodes, found none");
  }

  void fill(GraphData& data) const {
    const auto count = static_cast<std::int64_t>(ids.size());
    data.nodes = count;
    if (count > kMaxElements / std::max<std::int64_t>(width_, 1)) {
      raise(ErrorKind::bad_input, file_.string(), ": expected at most ", kMaxElements,
            " features in all, found ", count, " x ", width_);
    }
    data.features = empty({count, width_});
    float* out = data.features.data<float>();
    std::fill_n(out, data.features.numel(), 0.0f);
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      for (const auto& [at, value] : entries_[i]) {
        out[static_cast<std::int64_t>(i) * width_ + at] = value;
      }
    }
    fill_labels(data);
    for (std::size_t i = 0; i < splits_.size(); ++i) {
      if (!splits_[i].empty()) data.splits[splits_[i]].push_back(static_cast<std::int64_t>(i));
    }
  }

  std::unordered_map<std::string, std::int64_t> ids;

 private:
  void add(const Record& record) {
    const auto field = [&](std::int64_t column) {
      return column < 0 ? std::string_view() : record.fields[static_cast<std::size_t>(column)];
    };
    const auto number = static_cast<std::int64_t>(ids.size());
    if (!ids.emplace(field(id_), number).second) {
      refuse(file_, record, "id", "each once", field(id_));
    }
    labels_.emplace_back(field(label_));
    splits_.emplace_back(field(split_));
    auto& entries = entries_.emplace_back();
    each_word(field(features_), [&](std::string_view word) {
      if (sparse_) {
        const auto at = number_of<std::int64_t>(word);
        if (!at || *at < 0 || *at >= kMaxFeatures) {
          refuse(file_, record, "features", str("numbers from 0 to ", kMaxFeatures - 1), word);
        }
        entries.emplace_back(*at, 1.0f);
        width_ = std::max(width_, *at + 1);
      } else {
        const auto value = number_of<float>(word);
        if (!value || !std::isfinite(*value)) {
          refuse(file_, record, "features", "finite numbers", word);
        }
        entries.emplace_back(std::ssize(entries), *value);
      }
    });
    if (sparse_) return;
    if (number > 0 && std::ssize(entries) != width_) {
      refuse(file_, record, "features", str(width_, " numbers as in the first node"),
             str(entries.size(), " numbers"));
    }
    width_ = std::ssize(entries);
  }

  void fill_labels(GraphData& data) const {
    std::set<std::string> names(labels_.begin(), labels_.end());
    names.erase("");
    std::int64_t largest = -1;
    const bool numbers = std::all_of(names.begin(), names.end(), [&](const std::string& name) {
      const auto value = number_of<std::int64_t>(name);
      largest = std::max(largest, value.value_or(-1));
      return value && *value >= 0 && *value < 1'000'000;
    });
    std::unordered_map<std::string, std::int64_t> label;
    if (numbers) {
      for (std::int64_t c = 0; c <= largest; ++c) data.class_names.push_back(std::to_string(c));
    } else {
      data.class_names.assign(names.begin(), names.end());
    }
    for (std::size_t c = 0; c < data.class_names.size(); ++c) {
      label.emplace(data.class_names[c], static_cast<std::int64_t>(c));
    }
    std::vector<std::int64_t> values;
    for (const std::string& name : labels_) {
      const auto at = label.find(name);
      values.push_back(at != label.end() ? at->second
                       : name.empty()    ? -1
                                         : number_of<std::int64_t>(name).value_or(-1));
    }
    data.labels = from_values(values, {std::ssize(values)});
  }

  const fs::path& file_;
  std::int64_t id_ = -1, label_ = -1, split_ = -1, features_ = -1;
  bool sparse_ = true;
  std::int64_t width_ = 0;
  std::vector<std::string> labels_, splits_;
  std::vector<std::vector<std::pair<std::int64_t, float>>> entries_;  // of each node
};

}  // namespace

GraphData load_graph(const fs::path& nodes, const fs::path& edges,
                     const GraphFileOptions& options) {
  const Nodes known(nodes, options);
  GraphData data;
  known.fill(data);
  TableDialect dialect = dialect_of_path(edges);
  dialect.header = false;
  dialect.columns = {"source", "target"};
  RecordReader reader(edges, dialect);
  std::vector<std::int64_t> row, column;
  for (Record record; reader.next(record);) {
    check(edges, record);
    const std::string source(record.fields[0]), target(record.fields[1]);
    if (record.line == 1 && source == "source" && target == "target") continue;
    for (const std::string* end : {&source, &target}) {
      const auto at = known.ids.find(*end);
      if (at == known.ids.end()) refuse(edges, record, "edge", "ids of nodes", *end);
      (end == &source ? row : column).push_back(at->second);
    }
  }
  data.row = from_values(row, {std::ssize(row)});
  data.column = from_values(column, {std::ssize(column)});
  return data;
}

}  // namespace athanor::data
