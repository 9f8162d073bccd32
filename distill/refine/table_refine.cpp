#include "distill/refine/table_refine.h"

#include <fmt/format.h>

#include <chrono>

#include "distill/refine/review.h"
#include "distill/refine/table_output.h"
#include "distill/refine/table_stages.h"
#include "tensor/base/error.h"
#include "tensor/io/atomic_file.h"

namespace athanor::distill {
namespace {

// All that the stages follow from, by the names that a user knows it by.
StageInputs stage_inputs(const TableRefineOptions& o) {
  std::string files, columns;
  for (const auto& file : o.input.files) files += fingerprint_of_file(file);
  for (const std::string& field : o.features.link.fields) columns += field + '\n';
  std::string without;
  for (const std::string& name : o.features.off) without += name + '\n';
  const auto array = [](const std::filesystem::path& path) {
    return path.empty() ? "" : fingerprint_of_file(path);
  };
  const auto& threshold = o.features.link.threshold;
  return {{"the program", fingerprint_of_program()},
          {"the input", fingerprint_of(files)},
          {"the schema", fingerprint_of(data::to_toml(o.input.schema))},
          {"--dedup", fingerprint_of(columns)},
          {"--dedup-threshold", threshold ? fmt::format("{}", *threshold) : "estimated"},
          {"--dedup-across", str(o.features.link.across_files)},
          {"--embeddings", array(o.features.embeddings)},
          {"--near", fmt::format("{}", o.features.near_duplicate)},
          {"--probabilities", array(o.features.probabilities)},
          {"--seed", str(o.features.seed)},
          {"--similar", str(o.similar)},
          {"--without", fingerprint_of(without)}};
}

}  // namespace

TableRefineResult refine_table(const TableRefineOptions& options, ProgressSink& progress) {
  const auto begun = std::chrono::steady_clock::now();
  const SelectionOptions& s = options.selection;
  if (int(s.budget.has_value()) + int(s.retention.has_value()) + int(s.effective.has_value()) > 1) {
    raise(ErrorKind::usage, "refine: expected one of budget, retention and effective, got several");
  }
  TableRefineResult result;
  StageStore stages(options.out / "unfinished", stage_inputs(options), progress,
                    options.least_stage_seconds);
  result.records = read_table(options.input, progress);
  result.features =
      table_features(options.input, result.records, options.features, stages, progress);
  SelectionOptions selection = s;
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
  write_record_files(options, result, progress);
  if (!options.against.empty()) write_overlaps(options.out / "overlap.csv", result.overlaps);
  if (options.review > 0) write_review(options, result);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  result.summary = table_summary(options, result);
  write_file_atomically(options.out / "schema.toml", data::to_toml(options.input.schema));
  write_file_atomically(options.out / "summary.json", result.summary);
  write_file_atomically(options.out / "report.html", render_table_report(options, result));
  stages.finish();
  return result;
}

}  // namespace athanor::distill
