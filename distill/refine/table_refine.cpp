#include "distill/refine/table_refine.h"

#include <fmt/format.h>

#include <chrono>
#include <optional>

#include "distill/refine/review.h"
#include "distill/refine/table_output.h"
#include "distill/refine/table_stages.h"
#include "tensor/base/error.h"
#include "tensor/io/atomic_file.h"

namespace athanor::distill {
namespace {

std::string lines_of(const auto& texts) {
  std::string lines;
  for (const std::string& text : texts) lines += text + '\n';
  return lines;
}

// Settings that verdicts follow from, by the names that a user knows them by.
StageInputs judging_settings(const TableRefineOptions& o) {
  const auto& threshold = o.features.link.threshold;
  std::string model = fmt::format("{}", o.features.model.bias);
  for (std::size_t k = 0; k < kFeatures; ++k) {
    model += fmt::format(" {} {}", o.features.model.centre[k], o.features.model.weight[k]);
  }
  return {{"the schema", fingerprint_of(data::to_toml(o.input.schema))},
          {"--dedup", fingerprint_of(lines_of(o.features.link.fields))},
          {"--dedup-threshold", threshold ? fmt::format("{}", *threshold) : "estimated"},
          {"--dedup-across", str(o.features.link.across_files)},
          {"--near", fmt::format("{}", o.features.near_duplicate)},
          {"--score-model", fingerprint_of(model)},
          {"--seed", str(o.features.seed)},
          {"--without", fingerprint_of(lines_of(o.features.off))},
          {"whether --embeddings are given", str(!o.features.embeddings.empty())}};
}

std::string fingerprint_of_files(const std::vector<std::filesystem::path>& files) {
  std::string all;
  for (const auto& file : files) all += fingerprint_of_file(file);
  return fingerprint_of(all);
}

// All that the stages follow from.
StageInputs stage_inputs(const TableRefineOptions& o, const TableRecords& records) {
  StageInputs inputs = judging_settings(o);
  if (records.media.any()) {
    const auto& content = records.content;
    inputs["the files in its columns"] = fingerprint_of(
        {reinterpret_cast<const char*>(content.data()), content.size() * sizeof(content.front())});
  }
  inputs["the program"] = fingerprint_of_program();
  inputs["the input"] = fingerprint_of_files(o.input.files);
  inputs["--embeddings"] = fingerprint_of_files(o.features.embeddings);
  if (!o.features.probabilities.empty()) {
    inputs["--probabilities"] = fingerprint_of_files({o.features.probabilities});
  }
  if (!o.features.teacher.empty()) inputs["--teacher"] = fingerprint_of_files({o.features.teacher});
  if (!o.features.trusted.records.empty()) {
    inputs["--trusted"] = fingerprint_of_files({o.features.trusted.records});
    if (!o.features.trusted.embeddings.empty()) {
      inputs["--trusted-embeddings"] = fingerprint_of_files({o.features.trusted.embeddings});
    }
  }
  inputs["--similar"] = str(o.similar);
  if (!o.extend.empty()) {
    inputs["--extend"] =
        fingerprint_of_files({o.extend / "state.safetensors", o.extend / "scores.csv"});
  }
  return inputs;
}

// Refuses what cannot be asked for together.
void check_options(const TableRefineOptions& o) {
  const SelectionOptions& s = o.selection;
  if (int(s.budget.has_value()) + int(s.retention.has_value()) + int(s.effective.has_value()) > 1) {
    raise(ErrorKind::usage, "refine: expected one of budget, retention and effective, got several");
  }
  if (o.extend.empty()) return;
  if (o.split) {
    raise(ErrorKind::usage, "--extend: expected no --split, which would part the records anew");
  }
  std::error_code ignored;
  if (std::filesystem::equivalent(o.extend, o.out, ignored)) {
    raise(ErrorKind::usage, "--extend: expected another directory than --out, got ",
          o.out.string());
  }
}

// The schema as one beside the results, from where golden.<format>'s paths of pictures and sounds
// are found, too: as long as all input files lie in one folder.
std::string schema_beside_results(const TableRefineOptions& o, const TableRecords& records,
                                  ProgressSink& progress) {
  data::TableSchema schema = o.input.schema;
  if (!records.media.has_looks()) return data::to_toml(schema);
  std::filesystem::path folder = o.input.files.front().parent_path();
  if (!schema.folder.empty()) {
    folder = o.input.schema_folder / schema.folder;
  } else {
    for (const auto& file : o.input.files) {
      if (file.parent_path() == folder) continue;
      progress.message(
          "schema.toml: no folder is given, the paths start in those of several files");
      return data::to_toml(schema);
    }
  }
  std::error_code ignored;
  const auto relative = std::filesystem::relative(folder.empty() ? "." : folder, o.out, ignored);
  if (!relative.empty()) schema.folder = relative.generic_string();
  return data::to_toml(schema);
}

}  // namespace

TableRefineResult refine_table(const TableRefineOptions& options, ProgressSink& progress) {
  const auto begun = std::chrono::steady_clock::now();
  check_options(options);
  TableRefineResult result;
  result.records = read_table(options.input, progress);
  StageStore stages(options.out / "unfinished", stage_inputs(options, result.records), progress,
                    options.least_stage_seconds);
  std::optional<EarlierRun> earlier;
  if (!options.extend.empty()) {
    earlier = load_earlier_run(options.extend, result.records, judging_settings(options));
    progress.message(str("--extend: ", earlier->size(), " records were judged before, ",
                         result.records.size() - earlier->size(), " are new"));
  }
  const EarlierRun* before = earlier ? &*earlier : nullptr;
  result.features =
      table_features(options.input, result.records, options.features, before, stages, progress);
  SelectionOptions selection = options.selection;
  selection.earlier = before;
  if (!options.against.empty()) {
    TableInput other = options.input;
    other.files = options.against;
    other.schema.rules.clear();
    result.overlaps =
        find_overlaps(result.records, read_table(other, progress), options.features.near_duplicate);
    selection.overlap.resize(static_cast<std::size_t>(result.records.size()));
    for (const Overlap& o : result.overlaps) selection.overlap[o.row] = name_of(o.kind);
  }
  if (options.similar != 0) {
    result.similar = stages.run(
        "similar", [&] { return similar_records(options.input, result.records, options.similar); },
        pack_similar, unpack_similar);
  }
  if (!options.reviewed.empty()) {
    selection.verdicts = read_verdicts(options.reviewed, result.records.size());
  }
  result.selection =
      select_records(result.records, result.features, options.features.model, selection);
  if (options.split) {
    result.split = split_records(result.records, result.features.groups, result.selection.keep,
                                 *options.split, options.features.seed);
  }
  std::error_code error;
  std::filesystem::create_directories(options.out, error);
  if (error) {
    raise(ErrorKind::runtime, options.out.string(), ": cannot be created: ", error.message());
  }
  // The files' names are made durable together.
  std::optional<DirectorySyncs> together(std::in_place);
  result.slicings = write_record_files(options, result, progress);
  if (!options.against.empty()) write_overlaps(options.out / "overlap.csv", result.overlaps);
  if (options.review > 0) write_review(options, result);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  result.summary = table_summary(options, result);
  write_file_atomically(options.out / "schema.toml",
                        schema_beside_results(options, result.records, progress));
  write_file_atomically(options.out / "summary.json", result.summary);
  write_file_atomically(options.out / "report.html", render_table_report(options, result));
  save_state(options.out, result.records, result.features.labels, judging_settings(options));
  together.reset();
  stages.finish();
  return result;
}

}  // namespace athanor::distill
