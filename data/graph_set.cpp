#include "data/graph_set.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "tensor/io/bytes.h"
#include "tensor/io/mapped_file.h"
#include "tensor/ops/copy.h"

namespace athanor::data {
namespace {

using Numbers = std::vector<std::int64_t>;

constexpr std::string_view kHeader = "node\tlabel\tsplit\tfeature_indices";

// Lines of a table and where they stand, for messages.
class Lines {
 public:
  Lines(std::string_view text, std::string_view file) : rest_(text), file_(file) {}

  // False at the end. "\r\n" ends a line too.
  bool next(std::string_view& line) {
    if (rest_.empty()) return false;
    const std::size_t end = std::min(rest_.find('\n'), rest_.size());
    line = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++number_;
    return true;
  }

  template <class... Args>
  [[noreturn]] void fail(std::string_view field, const Args&... expected_and_found) const {
    raise(ErrorKind::bad_input, file_, ": line ", number_, ", ", field, ": ",
          expected_and_found...);
  }

  // A number in [0, bound).
  std::int64_t number(std::string_view text, std::string_view field, std::int64_t bound) const {
    std::int64_t value = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 0 || value >= bound) {
      fail(field, "expected a number in [0, ", bound, "), found \"", text.substr(0, 40), '"');
    }
    return value;
  }

 private:
  std::string_view rest_, file_;
  std::int64_t number_ = 0;
};

// The text before the next `separator`, which is taken away with it.
std::string_view field_of(std::string_view& line, char separator) {
  const std::size_t end = std::min(line.find(separator), line.size());
  const std::string_view field = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return field;
}

Tensor tensor_of(const Numbers& values) {
  return from_values(values, {static_cast<std::int64_t>(values.size())});
}

struct Nodes {
  Numbers labels, train, validation, test;
  std::vector<std::pair<std::int64_t, std::int64_t>> ones;  // node, feature
  std::int64_t classes = 0, features = 0;
};

constexpr std::int64_t kLargestIndex = std::int64_t{1} << 31;  // nodes, classes, features

void read_node(const Lines& lines, std::string_view line, Nodes& nodes) {
  const auto node = static_cast<std::int64_t>(nodes.labels.size());
  if (lines.number(field_of(line, '\t'), "node", kLargestIndex) != node) {
    lines.fail("node", "expected ", node, ", the next in order");
  }
  nodes.labels.push_back(lines.number(field_of(line, '\t'), "label", kLargestIndex));
  nodes.classes = std::max(nodes.classes, nodes.labels.back() + 1);
  const std::string_view split = field_of(line, '\t');
  if (split == "train") {
    nodes.train.push_back(node);
  } else if (split == "val") {
    nodes.validation.push_back(node);
  } else if (split == "test") {
    nodes.test.push_back(node);
  } else if (split != "none") {
    lines.fail("split", "expected train, val, test or none, found \"", split.substr(0, 40), '"');
  }
  while (!line.empty()) {
    const std::string_view index = field_of(line, ' ');
    nodes.ones.emplace_back(node, lines.number(index, "feature_indices", kLargestIndex));
    nodes.features = std::max(nodes.features, nodes.ones.back().second + 1);
  }
}

Nodes parse_nodes(std::string_view text, std::string_view file) {
  Lines lines(text, file);
  std::string_view line;
  if (!lines.next(line) || line != kHeader) {
    lines.fail("header", "expected \"", kHeader, "\", found \"", line.substr(0, 80), '"');
  }
  Nodes nodes;
  while (lines.next(line)) read_node(lines, line, nodes);
  if (nodes.labels.empty()) lines.fail("node", "expected at least one, found none");
  return nodes;
}

}  // namespace

GraphSet parse_graph_set(std::string_view nodes_text, std::string_view edges_text,
                         std::string_view nodes_file, std::string_view edges_file,
                         const Limits& limits) {
  const Nodes nodes = parse_nodes(nodes_text, nodes_file);
  const auto N = static_cast<std::int64_t>(nodes.labels.size());
  const Shape shape{N, nodes.features};
  std::uint64_t bytes = 0;
  if (!checked_bytes(shape, sizeof(float), limits.max_bytes, bytes)) {
    raise(ErrorKind::bad_input, nodes_file, ": features: expected at most ", limits.max_bytes,
          " bytes, found ", shape, " of f32");
  }
  GraphSet set;
  set.features = zeros(shape);
  float* features = set.features.data<float>();
  for (const auto& [node, feature] : nodes.ones) features[node * nodes.features + feature] = 1;
  set.labels = tensor_of(nodes.labels);
  set.train = tensor_of(nodes.train);
  set.validation = tensor_of(nodes.validation);
  set.test = tensor_of(nodes.test);
  set.classes = nodes.classes;

  Lines lines(edges_text, edges_file);
  std::string_view line;
  Numbers row, column;
  while (lines.next(line)) {
    row.push_back(lines.number(field_of(line, '\t'), "first node", N));
    column.push_back(lines.number(line, "second node", N));
  }
  set.row = tensor_of(row);
  set.column = tensor_of(column);
  return set;
}

GraphSet load_graph_set(const std::filesystem::path& directory, const Limits& limits) {
  const std::filesystem::path nodes = directory / "nodes.tsv", edges = directory / "edges.tsv";
  const MappedFile nodes_file(nodes), edges_file(edges);
  const auto text = [](const MappedFile& file) {
    const std::span<const std::byte> bytes = file.bytes();
    return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  return parse_graph_set(text(nodes_file), text(edges_file), nodes.string(), edges.string(),
                         limits);
}

}  // namespace athanor::data
