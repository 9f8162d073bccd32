#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/terminal_progress.h"
#include "data/idx.h"
#include "distill/pipeline/image_refine.h"
#include "distill/pipeline/look_labels.h"
#include "distill/refine/table_refine.h"
#include "tensor/base/error.h"
#include "tensor/base/parallel.h"
#include "tensor/io/atomic_file.h"

namespace athanor::cli {
namespace {

struct RefineOptions {
  std::vector<std::string> inputs, text, without, dedup, against, embeddings;
  std::vector<double> split;
  std::string out, schema, save_schema, id, label, time, format, model, probabilities, teacher,
      apply, split_group, extend, trusted, trusted_embeddings;
  std::int64_t budget = -1, seed = 0, review = 0, similar = 0;
  double threshold = .5, retention = -1, effective = -1, near_duplicate = .8, link_threshold = -1;
  int threads = 0;
  bool no_header = false, strict = false, repair = false, json = false, no_stratify = false,
       across = false, split_time = false;
};

data::TableSchema schema_of(const RefineOptions& o) {
  data::TableSchema schema;
  if (!o.schema.empty()) schema = data::load_schema(o.schema);
  if (!o.format.empty()) schema.format = data::dialect_of_path("x." + o.format).format;
  if (o.no_header) schema.header = false;
  if (!o.id.empty()) schema.id = o.id;
  if (!o.label.empty()) schema.label = o.label;
  if (!o.time.empty()) schema.time = o.time;
  if (!o.text.empty()) schema.text = o.text;
  // A schema that is given is taken at its word; without one the file says what it can.
  return o.schema.empty() ? data::infer_schema(o.inputs.front(), std::move(schema)) : schema;
}

void print_summary(const nlohmann::json& s, const std::string& out) {
  const auto number = [&](const char* key) { return s.at(key).get<long long>(); };
  std::printf("%lld records read: %lld kept, %lld dropped, %lld rejected\n", number("total"),
              number("kept"), number("dropped"), number("rejected"));
  for (const auto& [reason, count] : s.at("dropped_by_reason").items()) {
    std::printf("  %-32s %lld\n", reason.c_str(), count.get<long long>());
  }
  for (const auto& note : s.at("notes")) {
    std::printf("  note: %s\n", note.get<std::string>().c_str());
  }
  std::printf("%.0f records a second; report: %s/report.html\n",
              s.at("records_per_second").get<double>(), out.c_str());
}

void report_stop(const std::string& out) {
  std::cerr << "athanor: stopped; " << out
            << " is incomplete, the same command goes on from here\n";
}

std::vector<std::filesystem::path> paths_of(const std::string& list) {
  std::vector<std::filesystem::path> paths;
  for (std::size_t begin = 0; begin < list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    paths.emplace_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return paths;
}

// IDX: images and their labels.
void run_images(const RefineOptions& o) {
  if (o.inputs.size() % 2 != 0) {
    raise(ErrorKind::usage,
          "refine: expected IDX files in pairs, images and then their labels, got ",
          o.inputs.size());
  }
  const bool table_only = !o.text.empty() || !o.dedup.empty() || !o.against.empty() ||
                          !o.split.empty() || !o.apply.empty() || !o.model.empty() ||
                          !o.teacher.empty() || !o.trusted_embeddings.empty() ||
                          !o.schema.empty() || !o.without.empty() || o.effective >= 0 ||
                          o.review > 0 || o.similar > 0 || o.repair;
  if (table_only) {
    raise(ErrorKind::usage, "refine: expected for IDX files no options but --out, --time, ",
          "--probabilities, --embeddings, --trusted, --extend, --threshold, --retention, ",
          "--budget, --seed, --threads, --json");
  }
  distill::ImageRefineOptions options;
  for (std::size_t k = 0; k < o.inputs.size(); k += 2) {
    options.parts.push_back({o.inputs[k], o.inputs[k + 1]});
  }
  options.times = paths_of(o.time);
  options.probabilities = o.probabilities;
  options.embeddings.assign(o.embeddings.begin(), o.embeddings.end());
  if (!o.trusted.empty()) {
    const auto files = paths_of(o.trusted);
    if (files.size() != 2) {
      raise(ErrorKind::usage, "--trusted: expected for IDX files IMAGES,LABELS, got ", o.trusted);
    }
    options.trusted = {files[0], files[1]};
  }
  options.extend = o.extend;
  options.selection = {distill::Selection::Kind::threshold, o.threshold};
  if (o.retention >= 0) options.selection = {distill::Selection::Kind::retention, o.retention};
  if (o.budget >= 0) options.selection = {distill::Selection::Kind::budget, double(o.budget)};
  options.trust.seed = static_cast<std::uint64_t>(o.seed);
  options.out = o.out;
  options.stop = [] { return received_signal() != 0; };
  catch_signals();
  TerminalProgress progress(std::cerr, TerminalStyle::of_stderr());
  try {
    const distill::RefineStageResult r = distill::refine_images(options, progress);
    if (o.json) {
      std::cout << std::ifstream(options.out / "summary.json").rdbuf();
    } else {
      std::printf("%zu images read: %zu kept, %zu dropped\n", r.keep.size(), r.kept.size(),
                  r.keep.size() - r.kept.size());
      for (const std::string& note : r.notes) std::printf("  note: %s\n", note.c_str());
    }
  } catch (const distill::Interrupted&) {
    report_stop(o.out);
    throw CLI::RuntimeError(128 + received_signal());
  }
}

void run_refine(const RefineOptions& o) {
  if (o.threads > 0) set_num_threads(o.threads);
  if (data::is_idx(o.inputs.front())) return run_images(o);
  distill::TableRefineOptions options;
  options.input.files.assign(o.inputs.begin(), o.inputs.end());
  options.input.schema = schema_of(o);
  options.input.schema_folder = std::filesystem::path(o.schema).parent_path();
  options.input.strict = o.strict;
  options.input.stop = [] { return received_signal() != 0; };
  if (o.schema.empty()) {
    const std::string text = data::to_toml(options.input.schema);
    std::cerr << "athanor: inferred schema (--save-schema FILE keeps it, --schema FILE uses it):\n"
              << text;
    if (!o.save_schema.empty()) write_file_atomically(o.save_schema, text);
  }
  options.out = o.out;
  options.repair = o.repair;
  options.against.assign(o.against.begin(), o.against.end());
  options.review = o.review;
  options.reviewed = o.apply;
  options.similar = o.similar;
  if (!o.split.empty()) {
    if (o.split.size() < 2) raise(ErrorKind::usage, "--split: expected two or three shares");
    options.split.emplace();
    std::copy(o.split.begin(), o.split.end(), options.split->shares.begin());
    options.split->by_time = o.split_time;
    options.input.group = o.split_group;
  }
  options.features.off.insert(o.without.begin(), o.without.end());
  options.features.near_duplicate = o.near_duplicate;
  options.features.link = {o.dedup, {}, o.across};
  if (o.link_threshold >= 0) options.features.link.threshold = o.link_threshold;
  if (!o.dedup.empty() && o.dedup.front().starts_with("fields=")) {
    options.features.link.fields.front().erase(0, 7);
  }
  options.features.probabilities = o.probabilities;
  options.features.teacher = o.teacher;
  options.features.trusted = {o.trusted, o.trusted_embeddings};
  options.features.embeddings.assign(o.embeddings.begin(), o.embeddings.end());
  options.extend = o.extend;
  options.features.seed = static_cast<std::uint64_t>(o.seed);
  if (!o.model.empty()) options.features.model = distill::load_score_model(o.model);
  options.selection.threshold = o.threshold;
  if (o.budget >= 0) options.selection.budget = o.budget;
  if (o.retention >= 0) options.selection.retention = o.retention;
  if (o.effective >= 0) options.selection.effective = o.effective;
  options.selection.stratify = !o.no_stratify;
  distill::OutOfFoldOptions trust;
  trust.seed = options.features.seed;
  options.features.judge_looks = distill::look_judge(options.out, trust, options.input.stop);
  catch_signals();
  TerminalProgress progress(std::cerr, TerminalStyle::of_stderr());
  try {
    const distill::TableRefineResult result = distill::refine_table(options, progress);
    if (o.json) {
      std::fputs(result.summary.c_str(), stdout);
    } else {
      print_summary(nlohmann::json::parse(result.summary), o.out);
    }
  } catch (const distill::TableInterrupted&) {
    report_stop(o.out);
    throw CLI::RuntimeError(128 + received_signal());
  }
}

}  // namespace

void add_refine(CLI::App& app) {
  auto o = std::make_shared<RefineOptions>();
  CLI::App* c = app.add_subcommand(
      "refine",
      "Example: athanor refine messages.tsv --label Label --out refined\n\n"
      "Scores the records of a table, keeps the good ones and says why the others went. Reads CSV, "
      "TSV and JSONL, also .gz; several files are one table. IDX files are pairs of images and "
      "labels.");
  const CLI::Range share(0.0, 1.0);
  c->add_option("input", o->inputs, "Files")->required()->option_text("INPUT...");
  c->add_option("--out", o->out, "Directory for the results")->required();
  c->add_option("--schema", o->schema, "Schema (TOML); without one it is inferred and printed");
  c->add_option("--save-schema", o->save_schema, "Where to save the inferred schema");
  c->add_option("--id", o->id, "Column that names a record");
  c->add_option("--label", o->label, "Column with the label");
  c->add_option("--text", o->text, "Columns whose text is the content")->delimiter(',');
  c->add_option("--time", o->time,
                "Column with the time stamp; with IDX .npy files of seconds: A,B");
  c->add_option("--format", o->format, "csv, tsv or jsonl; default by the file's name");
  c->add_flag("--no-header", o->no_header, "The first line is a record; columns are column_1, ...");
  c->add_flag("--strict", o->strict, "A malformed record is an error (exit code 3)");
  c->add_option("--threshold", o->threshold, "Keep records from this score on")
      ->check(share)
      ->capture_default_str();
  auto* budget = c->add_option("--budget", o->budget, "Keep the N best records")
                     ->check(CLI::NonNegativeNumber);
  auto* retention =
      c->add_option("--retention", o->retention, "Keep the best share of what passes the checks")
          ->check(share);
  auto* effective = c->add_option("--effective", o->effective,
                                  "Keep as many as have this mean score (expected good share)")
                        ->check(share);
  budget->excludes(retention)->excludes(effective);
  retention->excludes(effective);
  c->add_flag("--no-stratify", o->no_stratify, "--budget and --retention ignore the classes");
  c->add_option("--without", o->without, "Features to leave out")->delimiter(',');
  c->add_option("--near", o->near_duplicate, "Jaccard index from which texts are copies")
      ->check(share)
      ->capture_default_str();
  c->add_option("--dedup", o->dedup, "Columns by which records of the same thing are linked")
      ->delimiter(',')
      ->option_text("fields=A,B,...");
  c->add_option("--dedup-threshold", o->link_threshold,
                "Mean similarity from which they are; default: estimated from all pairs")
      ->check(share);
  c->add_flag("--dedup-across", o->across, "Link only between files, each record at most once");
  c->add_option("--probabilities", o->probabilities,
                "Out-of-fold class probabilities (.npy [records, classes])");
  c->add_option("--teacher", o->teacher,
                "Class probabilities (.npy) of a model that learned from none of these labels");
  auto* trusted = c->add_option(
      "--trusted", o->trusted,
      "Verified records beside the table: their labels are taken as true; with IDX IMAGES,LABELS");
  c->add_option("--trusted-embeddings", o->trusted_embeddings,
                "Their sentence vectors (.npy), where --embeddings are given")
      ->needs(trusted);
  c->add_option("--embeddings", o->embeddings,
                "Sentence vectors (.npy [records, d], as of athanor embed); several files follow "
                "each other")
      ->delimiter(',')
      ->allow_extra_args(false);
  c->add_option(
      "--extend", o->extend,
      "Results of the first of these records: their verdicts stay, only new ones are judged");
  c->add_option("--score-model", o->model, "Weights of the score (TOML)");
  c->add_option("--against", o->against, "Drop records that overlap these files (a test set)");
  c->add_option("--review", o->review, "Queue the N records whose verdict would tell most")
      ->check(CLI::NonNegativeNumber);
  c->add_option("--similar", o->similar,
                "List the K other records most similar to each one in words and time "
                "(similar.csv)")
      ->check(CLI::PositiveNumber);
  c->add_option("--apply", o->apply, "A review.csv whose column verdict says keep or drop");
  auto* split = c->add_option("--split", o->split, "Also write golden-train, -validation, -test")
                    ->delimiter(',')
                    ->expected(2, 3)
                    ->option_text("0.8,0.1,0.1");
  c->add_option("--split-group", o->split_group, "Column whose values stay in one split")
      ->needs(split);
  c->add_flag("--split-time", o->split_time, "Split by time: the latest records are the test set")
      ->needs(split);
  c->add_flag("--repair", o->repair, "Write repaired.* with the suggested values");
  c->add_option("--seed", o->seed, "Seed")->check(CLI::NonNegativeNumber);
  c->add_option("--threads", o->threads, "Threads, 0 = all cores")->check(CLI::NonNegativeNumber);
  c->add_flag("--json", o->json, "Print summary.json");
  c->callback([o] { run_refine(*o); });
}

}  // namespace athanor::cli
