#include "distill/refine/earlier_run.h"

#include <fmt/format.h>

#include <bit>

#include "distill/refine/feature_values.h"
#include "distill/refine/scores_reader.h"
#include "distill/refine/table_stages.h"
#include "tensor/base/error.h"

namespace athanor::distill {
namespace {

constexpr const char* kFormat = "1";  // of state.safetensors

// What the first n records say: contents, labels, stamps, completeness.
std::string fingerprint_of_records(const TableRecords& r, std::int64_t n) {
  std::string bytes;
  const auto add = [&](std::uint64_t value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  };
  std::string chain;
  for (std::int64_t i = 0; i < n; ++i) {
    add(r.content[i][0]);
    add(r.content[i][1]);
    add(static_cast<std::uint64_t>(r.label[i]));
    add(std::bit_cast<std::uint64_t>(is_applicable(r.time[i]) ? r.time[i] : kNotApplicable));
    add(std::bit_cast<std::uint64_t>(is_applicable(r.completeness[i]) ? r.completeness[i]
                                                                      : kNotApplicable));
    if (bytes.size() > (std::size_t{1} << 20)) {
      chain += fingerprint_of(bytes);
      bytes.clear();
    }
  }
  return fingerprint_of(chain + bytes);
}

// Labels in the order of their numbers, among the first n records.
std::vector<std::string> classes_of(const TableRecords& r, std::int64_t n) {
  std::int64_t classes = 0;
  for (std::int64_t i = 0; i < n; ++i) classes = std::max(classes, r.label[i] + 1);
  std::vector<std::string> names;
  for (std::int64_t c = 0; c < classes; ++c) names.push_back(r.label_names.text(c));
  return names;
}

std::string state_file(const std::filesystem::path& directory) {
  return (directory / "state.safetensors").string();
}

const std::string& required(const SafetensorsMetadata& metadata, const std::string& key,
                            const std::string& file) {
  const auto it = metadata.find(key);
  if (it == metadata.end()) {
    raise(ErrorKind::bad_input, file, ": expected the state of a refinement, found none ('", key,
          "')");
  }
  return it->second;
}

void read_scores(const std::filesystem::path& path, EarlierRun& run) {
  ScoresReader scores(path);
  if (scores.file().header() != scores_header()) scores.refuse_header();
  while (scores.next()) {
    // row, id, keep, reason, score, two features, two dimensions, ten features, two weights
    run.keep.push_back(scores.kept());
    run.reason.emplace_back(scores.reason());
    run.score.push_back(scores.score());
    FeatureRow x;
    x[0] = scores.number(5);
    x[1] = scores.number(6);
    run.consistency.push_back(scores.number(7));
    run.diversity.push_back(scores.number(8));
    for (std::size_t k = 2; k < kFeatures; ++k) x[k] = scores.number(7 + k);
    run.row.push_back(x);
    run.weight3.push_back(scores.number(7 + kFeatures));
    run.weight4.push_back(scores.number(8 + kFeatures));
  }
}

}  // namespace

std::string scores_header() {
  std::string line = "row,id,keep,reason,score,freshness,completeness,consistency,diversity";
  for (std::size_t k = 2; k < kFeatures; ++k) line += fmt::format(",{}", kFeatureNames[k]);
  return line + ",weight3,weight4\n";
}

void save_state(const std::filesystem::path& out, const TableRecords& records,
                const std::optional<LabelEvidence>& labels, StageInputs settings) {
  settings["format"] = kFormat;
  settings["records"] = str(records.size());
  settings["fingerprint"] = fingerprint_of_records(records, records.size());
  save_safetensors(state_file(out), labels ? pack_labels(*labels) : NamedTensors{}, settings);
}

EarlierRun load_earlier_run(const std::filesystem::path& directory, const TableRecords& records,
                            const StageInputs& settings) {
  const std::string file = state_file(directory);
  const auto [tensors, state] = load_safetensors(file);
  if (required(state, "format", file) != kFormat) {
    raise(ErrorKind::bad_input, file, ": expected format ", kFormat, ", found ",
          state.at("format"));
  }
  for (const auto& [name, value] : settings) {
    const auto it = state.find(name);
    if (it != state.end() && it->second == value) continue;
    raise(ErrorKind::usage, "--extend: expected the settings of ", directory.string(), ", ", name,
          " is another");
  }
  EarlierRun run;
  read_scores(directory / "scores.csv", run);
  const std::int64_t n = run.size();
  if (str(n) != required(state, "records", file)) {
    raise(ErrorKind::bad_input, directory.string(), ": state.safetensors speaks of ",
          state.at("records"), " records, scores.csv of ", n);
  }
  if (records.size() <= n) {
    raise(ErrorKind::bad_input, "--extend: expected more than the ", n, " records of ",
          directory.string(), ", found ", records.size());
  }
  if (fingerprint_of_records(records, n) != required(state, "fingerprint", file)) {
    raise(ErrorKind::bad_input, "--extend: expected the input to begin with the ", n,
          " records of ", directory.string(), ", in their order; found others");
  }
  if (tensors.empty()) return run;
  const std::vector<std::string> classes = classes_of(records, n);
  if (std::ssize(classes) < records.label_names.size()) {
    raise(ErrorKind::bad_input, "--extend: expected labels that ", directory.string(),
          " knows, found '", records.label_names.text(std::ssize(classes)),
          "'; a new class takes a run over all records");
  }
  run.labels = unpack_labels(tensors);
  return run;
}

}  // namespace athanor::distill
