// Commands that measure a refinement: plant, audit.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "cli/commands.h"
#include "data/idx.h"
#include "distill/pipeline/image_refine.h"
#include "distill/refine/audit.h"
#include "distill/refine/table_plant.h"
#include "tensor/base/error.h"
#include "tensor/io/atomic_file.h"

namespace athanor::cli {
namespace {

struct PlantCommand {
  std::vector<std::string> inputs, text;
  std::string defects, out, schema, label;
  std::int64_t seed = -1;
  bool no_header = false;
};

void print_planted(const distill::Manifest& manifest, const std::string& out) {
  std::int64_t effective = 0;
  for (const auto& row : manifest) effective += row.effective;
  std::printf("%zu records, %lld effective; the truth is in %s/manifest/manifest.csv\n",
              manifest.size(), static_cast<long long>(effective), out.c_str());
}

void plant(const PlantCommand& o) {
  if (data::is_idx(o.inputs.front())) {
    if (o.inputs.size() != 2 || !o.schema.empty() || !o.label.empty() || !o.text.empty()) {
      raise(ErrorKind::usage, "plant: expected two IDX files, images and labels, and no schema");
    }
    distill::PlantOptions plan = distill::load_table_defects(o.defects, false).plan;
    if (o.seed >= 0) plan.seed = static_cast<std::uint64_t>(o.seed);
    print_planted(distill::plant_images(o.inputs[0], o.inputs[1], plan, o.out).manifest, o.out);
    return;
  }
  distill::TableInput input;
  input.files.assign(o.inputs.begin(), o.inputs.end());
  if (!o.schema.empty()) input.schema = data::load_schema(o.schema);
  input.schema_folder = std::filesystem::path(o.schema).parent_path();
  if (o.no_header) input.schema.header = false;
  if (!o.label.empty()) input.schema.label = o.label;
  if (!o.text.empty()) input.schema.text = o.text;
  if (o.schema.empty()) input.schema = data::infer_schema(input.files.front(), input.schema);
  distill::TablePlantOptions options =
      distill::load_table_defects(o.defects, !input.schema.text.empty());
  if (o.seed >= 0) options.plan.seed = static_cast<std::uint64_t>(o.seed);
  const distill::PlantedTable planted = distill::plant_table(input, options);
  distill::write_planted_table(o.out, planted, input.schema, options);
  if (planted.copies > 0) {
    std::fprintf(stderr, "%lld records left out: copies of another one in the input\n",
                 static_cast<long long>(planted.copies));
  }
  print_planted(planted.manifest, o.out);
}

struct AuditCommand {
  std::vector<std::string> refined, manifests, hold_out;
  std::string fit, report, dirty, clean, pairs, similar_pairs;
  bool json = false;
};

void print_quality(const char* name, const distill::SelectionQuality& q) {
  std::printf("  %-22s %8lld kept  effective share %.3f  retention %.3f\n", name,
              static_cast<long long>(q.kept), q.effective_share, q.retention);
}

void print_audit(const distill::Audit& a) {
  std::printf("  %-22s %13s  effective share %.3f\n", "raw, random subset", "", a.effective_before);
  print_quality("checks alone", a.free_checks);
  print_quality("selected", a.selected);
  print_quality("at retention 0.95", a.at_95);
  std::printf("  score: AUROC %.4f  AUPRC %.4f  ECE %.4f\n", a.auroc, a.auprc, a.ece);
  std::printf("  share of good records by tenths of the score:");
  for (const auto& bin : a.calibration) {
    if (bin.records > 0) {
      std::printf(" %.2f", bin.good);
    } else {
      std::printf(" -");
    }
  }
  std::printf("\n");
  for (const auto& kind : a.kinds) {
    std::printf("  %-22s %8lld planted  recall %.3f  AUROC %.4f\n",
                std::string(name_of(kind.recall.kind)).c_str(),
                static_cast<long long>(kind.recall.planted), kind.recall.recall, kind.auroc);
  }
  std::printf("  AUROC of each column alone:");
  for (const auto& [name, value] : a.auroc_of) std::printf(" %s %.3f", name.c_str(), value);
  std::printf("\n");
}

void audit_command(const AuditCommand& o) {
  if (!o.clean.empty()) {
    if (o.dirty.empty()) raise(ErrorKind::usage, "--clean: expected --dirty as well, got none");
    const auto a = distill::audit_fields(o.refined.front(), o.dirty, o.clean);
    std::printf(o.json ? "{\"wrong\":%lld,\"flagged\":%lld,\"right\":%lld,\"precision\":%.4f,"
                         "\"recall\":%.4f,\"f1\":%.4f,\"repaired\":%lld}\n"
                       : "%lld wrong fields, %lld flagged, %lld rightly: precision %.4f  recall "
                         "%.4f  F1 %.4f; %lld repaired\n",
                static_cast<long long>(a.wrong), static_cast<long long>(a.flagged),
                static_cast<long long>(a.right), a.precision, a.recall, a.f1,
                static_cast<long long>(a.repaired));
    return;
  }
  if (!o.pairs.empty()) {
    const auto a = distill::audit_links(o.refined.front(), o.pairs);
    std::printf(o.json ? "{\"gold\":%lld,\"found\":%lld,\"right\":%lld,\"precision\":%.4f,"
                         "\"recall\":%.4f,\"f1\":%.4f}\n"
                       : "%lld pairs, %lld found, %lld rightly: precision %.4f  recall %.4f  F1 "
                         "%.4f\n",
                static_cast<long long>(a.gold), static_cast<long long>(a.found),
                static_cast<long long>(a.right), a.precision, a.recall, a.f1);
    return;
  }
  if (!o.similar_pairs.empty()) {
    const auto a = distill::audit_similar(o.refined.front(), o.similar_pairs);
    std::printf(o.json
                    ? "{\"pairs\":%lld,\"recall_at_1\":%.4f,\"recall_at_5\":%.4f,"
                      "\"recall_at_10\":%.4f,\"reciprocal_rank\":%.4f}\n"
                    : "%lld pairs: recall@1 %.4f  @5 %.4f  @10 %.4f  mean reciprocal rank %.4f\n",
                static_cast<long long>(a.pairs), a.recall_at_1, a.recall_at_5, a.recall_at_10,
                a.reciprocal_rank);
    return;
  }
  if (o.manifests.size() != o.refined.size()) {
    raise(ErrorKind::usage, "--manifest: expected one for each of ", o.refined.size(),
          " refinements, got ", o.manifests.size());
  }
  std::vector<distill::AuditedScores> all;
  std::vector<std::pair<std::string, distill::Audit>> audits;
  for (std::size_t i = 0; i < o.refined.size(); ++i) {
    all.push_back(distill::read_audit(o.refined[i], o.manifests[i]));
    audits.emplace_back(o.refined[i], distill::audit(all.back()));
    const distill::Audit& a = audits.back().second;
    if (o.json) {
      std::fputs(distill::audit_json(a).c_str(), stdout);
    } else {
      std::printf("%s\n", o.refined[i].c_str());
      print_audit(a);
    }
  }
  if (!o.report.empty()) write_file_atomically(o.report, distill::render_audit_report(audits));
  if (o.fit.empty()) return;
  std::vector<distill::Defect> held_out;
  for (const std::string& name : o.hold_out) held_out.push_back(distill::defect_from_name(name));
  distill::save_score_model(o.fit, distill::fit_to_audits(all, held_out));
}

}  // namespace

void add_plant(CLI::App& app) {
  auto o = std::make_shared<PlantCommand>();
  CLI::App* c = app.add_subcommand(
      "plant",
      "Example: athanor plant clean.csv --label topic --defects D.toml --out planted\n\n"
      "Spoils a clean table with known defects, to measure a refinement: refine planted/pool.csv, "
      "then athanor audit. A table may have pictures or sounds. Two IDX files are images and "
      "labels.");
  c->add_option("input", o->inputs, "Clean files")->required()->option_text("INPUT...");
  c->add_option("--defects", o->defects, "What to plant (TOML)")->required();
  c->add_option("--out", o->out, "Directory for pool and manifest")->required();
  c->add_option("--schema", o->schema, "Schema (TOML); without one it is inferred");
  c->add_option("--label", o->label, "Column with the label");
  c->add_option("--text", o->text, "Columns with the text")->delimiter(',');
  c->add_flag("--no-header", o->no_header, "The first line is a record");
  c->add_option("--seed", o->seed, "Seed; overrides the file's")->check(CLI::NonNegativeNumber);
  c->callback([o] { plant(*o); });
}

void add_audit(CLI::App& app) {
  auto o = std::make_shared<AuditCommand>();
  CLI::App* c = app.add_subcommand(
      "audit",
      "Example: athanor audit refined --manifest planted/manifest/manifest.csv\n\n"
      "Measures what refine did against the truth: planted defects, a clean table, or known "
      "pairs.");
  c->add_option("refined", o->refined, "Directories that refine wrote")->required();
  c->add_option("--manifest", o->manifests, "Manifest of the planted pool, one a directory");
  c->add_option("--report", o->report, "Write a page (HTML): calibration, what was removed")
      ->needs("--manifest");
  c->add_option("--fit", o->fit, "Fit the score's weights to these and write them (TOML)");
  c->add_option("--hold-out", o->hold_out, "Kinds of defects that take no part in the fit")
      ->delimiter(',');
  c->add_option("--dirty", o->dirty, "The table that was refined");
  c->add_option("--clean", o->clean, "The same table without mistakes");
  c->add_option("--pairs", o->pairs, "Pairs of ids that are the same (CSV without header)");
  c->add_option("--similar-pairs", o->similar_pairs,
                "Pairs of ids: is the second among the records similar to the first?");
  c->add_flag("--json", o->json, "JSON");
  c->callback([o] { audit_command(*o); });
}

}  // namespace athanor::cli
