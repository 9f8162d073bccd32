#include "distill/refine/manifest.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <string>

#include "tensor/base/error.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/mapped_file.h"

namespace athanor::distill {
namespace {

constexpr std::array<std::string_view, kDefectCount> kNames{
    "flip",  "confuse",       "duplicate",  "near_duplicate", "stale",        "missing",
    "noise", "out_of_domain", "truncation", "contradiction",  "rule_conflict"};
constexpr std::string_view kHeader =
    "row,kinds,correct,effective,original,group,source,true_label\n";

std::vector<char> kept_flags(const Manifest& manifest, std::span<const std::int64_t> rows) {
  std::vector<char> kept(manifest.size());
  for (std::int64_t row : rows) {
    if (row < 0 || row >= static_cast<std::int64_t>(manifest.size())) {
      fail("evaluate_selection", "expected rows in [0, ", manifest.size(), "), got ", row);
    }
    if (kept[row]) fail("evaluate_selection", "row ", row, " is listed twice");
    kept[row] = 1;
  }
  return kept;
}

}  // namespace

std::string_view name_of(Defect kind) { return kNames[static_cast<int>(kind)]; }

Defect defect_from_name(std::string_view name) {
  for (Defect kind : all_defects()) {
    if (name_of(kind) == name) return kind;
  }
  std::string known;
  for (std::string_view one : kNames) known += (known.empty() ? "" : ", ") + std::string(one);
  raise(ErrorKind::usage, "unknown defect '", name, "', expected one of ", known);
}

std::vector<Defect> all_defects() {
  std::vector<Defect> kinds;
  for (int i = 0; i < kDefectCount; ++i) kinds.push_back(static_cast<Defect>(i));
  return kinds;
}

std::vector<Defect> image_defects() {
  std::vector<Defect> kinds = all_defects();
  kinds.resize(kImageDefectCount);
  return kinds;
}

std::string DefectSet::to_string() const {
  std::string text;
  for (Defect kind : all_defects()) {
    if (!has(kind)) continue;
    if (!text.empty()) text += ';';
    text += name_of(kind);
  }
  return text;
}

SelectionQuality evaluate_selection(const Manifest& manifest, std::span<const std::int64_t> rows) {
  kept_flags(manifest, rows);
  std::vector<char> effective_group(manifest.size()), credited(manifest.size());
  SelectionQuality quality;
  for (const ManifestRow& row : manifest) {
    if (!row.effective) continue;
    effective_group[row.group] = 1;
    ++quality.effective_total;
  }
  for (std::int64_t row : rows) {
    const std::int64_t group = manifest[row].group;
    if (!manifest[row].correct || !effective_group[group] || credited[group]) continue;
    credited[group] = 1;
    ++quality.effective_kept;
  }
  quality.kept = static_cast<std::int64_t>(rows.size());
  const auto share = [](std::int64_t part, std::int64_t whole) {
    return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0.0;
  };
  quality.effective_share = share(quality.effective_kept, quality.kept);
  quality.retention = share(quality.effective_kept, quality.effective_total);
  return quality;
}

std::vector<KindRecall> recall_by_kind(const Manifest& manifest,
                                       std::span<const std::int64_t> rows) {
  const std::vector<char> kept = kept_flags(manifest, rows);
  std::vector<std::int64_t> kept_in_group(manifest.size());
  for (std::int64_t row : rows) ++kept_in_group[manifest[row].group];
  std::vector<KindRecall> recalls;
  for (Defect kind : all_defects()) {
    KindRecall recall{kind};
    const bool copies = kind == Defect::duplicate || kind == Defect::near_duplicate;
    for (std::size_t i = 0; i < manifest.size(); ++i) {
      if (!manifest[i].kinds.has(kind)) continue;
      ++recall.planted;
      if (!kept[i] || (copies && kept_in_group[manifest[i].group] == 1)) ++recall.removed;
    }
    if (recall.planted == 0) continue;
    recall.recall = static_cast<double>(recall.removed) / static_cast<double>(recall.planted);
    recalls.push_back(recall);
  }
  return recalls;
}

void write_manifest_csv(const std::filesystem::path& path, const Manifest& manifest) {
  std::string text(kHeader);
  for (std::size_t i = 0; i < manifest.size(); ++i) {
    const ManifestRow& row = manifest[i];
    text += str(i, ',', row.kinds.to_string(), ',', row.correct, ',', row.effective, ',',
                row.original, ',', row.group, ',', row.source, ',', row.true_label, '\n');
  }
  write_file_atomically(path, text);
}

namespace {

// One line of a manifest, fields in the header's order.
class LineReader {
 public:
  LineReader(std::string_view line, std::string place) : rest_(line), place_(std::move(place)) {}

  std::string_view text(std::string_view field) {
    if (done_) raise(ErrorKind::bad_input, place_, ": expected a field '", field, "', got none");
    const std::size_t comma = rest_.find(',');
    const std::string_view value = rest_.substr(0, comma);
    done_ = comma == std::string_view::npos;
    rest_ = done_ ? std::string_view{} : rest_.substr(comma + 1);
    return value;
  }
  // A number in [0, limit).
  std::int64_t number(std::string_view field, std::int64_t limit) {
    const std::string_view value = text(field);
    std::int64_t n = -1;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), n);
    if (error != std::errc() || end != value.data() + value.size() || n < 0 || n >= limit) {
      raise(ErrorKind::bad_input, place_, ": expected '", field, "' to be an integer in [0, ",
            limit, "), got '", value, "'");
    }
    return n;
  }
  void finish() const {
    if (!done_) raise(ErrorKind::bad_input, place_, ": expected 8 fields, got more");
  }

 private:
  std::string_view rest_;
  std::string place_;
  bool done_ = false;
};

DefectSet parse_kinds(std::string_view text, const std::string& place) {
  DefectSet kinds;
  while (!text.empty()) {
    const std::size_t end = text.find(';');
    const std::string_view name = text.substr(0, end);
    const auto found = std::find(kNames.begin(), kNames.end(), name);
    if (found == kNames.end()) {
      raise(ErrorKind::bad_input, place, ": unknown defect '", name, "'");
    }
    kinds.add(static_cast<Defect>(found - kNames.begin()));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  return kinds;
}

}  // namespace

Manifest read_manifest_csv(const std::filesystem::path& path) {
  const MappedFile file(path);
  const auto bytes = file.bytes();
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with(kHeader)) {
    raise(ErrorKind::bad_input, path.string(), ":1: expected the header ",
          kHeader.substr(0, kHeader.size() - 1));
  }
  text.remove_prefix(kHeader.size());
  const std::int64_t rows = std::count(text.begin(), text.end(), '\n');
  if (!text.empty() && text.back() != '\n') {
    raise(ErrorKind::bad_input, path.string(), ": the last line is cut off");
  }
  Manifest manifest;
  manifest.reserve(static_cast<std::size_t>(rows));
  constexpr std::int64_t kAny = std::int64_t{1} << 62;
  for (std::int64_t i = 0; i < rows; ++i) {
    const std::size_t end = text.find('\n');
    const std::string place = str(path.string(), ':', i + 2);
    LineReader line(text.substr(0, end), place);
    if (line.number("row", rows) != i) {
      raise(ErrorKind::bad_input, place, ": expected row ", i, ", the rows count from 0");
    }
    ManifestRow row;
    row.kinds = parse_kinds(line.text("kinds"), place);
    row.correct = line.number("correct", 2) == 1;
    row.effective = line.number("effective", 2) == 1;
    row.original = line.number("original", rows);
    row.group = line.number("group", rows);
    row.source = line.number("source", kAny);
    row.true_label = line.number("true_label", kAny);
    line.finish();
    manifest.push_back(row);
    text.remove_prefix(end + 1);
  }
  return manifest;
}

}  // namespace athanor::distill
