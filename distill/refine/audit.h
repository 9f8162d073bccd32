// What a refinement of a planted table is worth: reads its scores.csv and the manifest.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "distill/refine/calibration.h"
#include "distill/refine/manifest.h"
#include "distill/refine/score_model.h"

namespace athanor::distill {

// scores.csv of one refinement, beside the manifest of its pool.
struct AuditedScores {
  std::vector<std::string> names;            // score, features, dimensions, weights
  std::vector<std::vector<double>> columns;  // [names][records]; NaN = not applicable
  std::vector<char> keep;
  std::vector<std::string> reason;
  Manifest manifest;
};

// Errors are bad_input: not a scores.csv of refine, another number of records than the manifest.
AuditedScores read_audit(const std::filesystem::path& refined,
                         const std::filesystem::path& manifest);

struct KindAudit {
  KindRecall recall;
  double auroc = 0;  // effective records against the records of this kind, by score
};

struct Audit {
  SelectionQuality selected;             // what refine kept
  SelectionQuality free_checks;          // duplicates and validity alone, whatever the score
  SelectionQuality at_95;                // best score first, until the retention is 0.95
  double effective_before = 0;           // also what a random subset has
  double auroc = 0, auprc = 0, ece = 0;  // of the score for good records
  std::vector<std::pair<std::string, double>> auroc_of;  // each column alone
  std::vector<CalibrationBin> calibration;               // ten, by score
  std::vector<KindAudit> kinds;
};

// Good = the content is unbroken, the label right, and no other copy came first (uniqueness 1, or
// not applicable). AUROC counts ties one half; AUPRC is the average precision; ECE is over ten
// equal bins (Guo et al. 2017).
Audit audit(const AuditedScores& scores);
std::string audit_json(const Audit& audit);
// A page with pictures of one audit or several, each under its name.
std::string render_audit_report(const std::vector<std::pair<std::string, Audit>>& audits);

// A score model for the records of several refinements; kinds in `held_out` take no part.
ScoreModel fit_to_audits(const std::vector<AuditedScores>& audits,
                         const std::vector<Defect>& held_out);

// Wrong fields of `dirty` (those that differ from `clean`, column by column, row by row) against
// the fields in repairs.csv of a refinement of `dirty`.
struct FieldAudit {
  std::int64_t wrong = 0, flagged = 0, right = 0;  // right: flagged and wrong
  std::int64_t repaired = 0;                       // flagged, wrong, and the suggestion is clean's
  double precision = 0, recall = 0, f1 = 0;
};
FieldAudit audit_fields(const std::filesystem::path& refined, const std::filesystem::path& dirty,
                        const std::filesystem::path& clean);

// Pairs of ids (two columns, header or not) against links.csv of a refinement.
struct LinkAudit {
  std::int64_t gold = 0, found = 0, right = 0;
  double precision = 0, recall = 0, f1 = 0;
};
LinkAudit audit_links(const std::filesystem::path& refined, const std::filesystem::path& pairs);

// Known pairs (two columns of ids, no header) against similar.csv of a refinement: of each pair the
// second is looked for among the records similar to the first. Errors are bad_input.
struct SimilarAudit {
  std::int64_t pairs = 0;  // distinct, in this order
  double recall_at_1 = 0, recall_at_5 = 0, recall_at_10 = 0;
  double reciprocal_rank = 0;  // mean of 1 / rank, 0 where it is not listed
};
SimilarAudit audit_similar(const std::filesystem::path& refined,
                           const std::filesystem::path& pairs);

}  // namespace athanor::distill
