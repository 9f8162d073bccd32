// The twelve features, four dimensions and three scores of the records of a table.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "distill/refine/earlier_run.h"
#include "distill/refine/linkage.h"
#include "distill/refine/score_model.h"
#include "distill/refine/table_labels.h"
#include "distill/refine/table_records.h"
#include "distill/refine/trusted_set.h"
#include "distill/refine/uniqueness.h"
#include "distill/run/stage_store.h"

namespace athanor::distill {

// Class probabilities [judged, classes] of models that learn from pictures u8 [task.size(), 32, 32]
// and did not learn from the record's own label.
using LookJudge = std::function<ProbabilityTable(const Tensor& pictures, const LabelTask& task,
                                                 StageStore& stages, ProgressSink& progress)>;

struct FeatureOptions {
  std::set<std::string> off;            // names of features that are left out
  double near_duplicate = .8;           // Jaccard index of 5-grams from which texts are copies
  LinkOptions link;                     // with fields: linked records are copies, too
  std::filesystem::path probabilities;  // .npy [records, classes]: out-of-fold, brought along
  // .npy [records, classes]: of a model that learned from none of the table's labels.
  std::filesystem::path teacher;
  TrustedFiles trusted;
  // .npy [records, d], one row a record that can be read; several files follow each other.
  std::vector<std::filesystem::path> embeddings;
  // Judges labels where pictures or sounds are all that there is beside words (or null: nothing but
  // what discriminants see in look_vectors()). Not asked beyond kMostLooks records, nor where an
  // earlier run is extended.
  LookJudge judge_looks;
  ScoreModel model = default_score_model();
  std::uint64_t seed = 0;
};

struct TableFeatures {
  std::vector<FeatureRow> row;
  std::vector<double> consistency, diversity, weight3, weight4, score;
  std::vector<double> confidence, variability;  // cartography; empty without label trust
  std::vector<char> suspect;                    // label flagged by the confident joint
  std::vector<std::int64_t> guess;              // most probable class; -1 = unknown
  std::optional<LabelEvidence> labels;          // where models judged
  std::vector<TextSurface> surface;             // where there is text
  DuplicateGroups groups;
  std::vector<Link> links;         // where fields were given to link by
  double set_entropy = 0;          // normalised entropy over class x cluster
  double freshness_underflow = 0;  // share of stamps whose exp(-age/3600) is 0 in double
  double reference_time = 0, half_life = 0;
  std::int64_t trusted = 0, trusted_overlap = 0;  // verified records; those that the table has, too
  double agreement = 0;            // of the proxy's most probable class with the labels
  std::vector<std::string> notes;  // what does not apply, and why
};

// What `earlier`, where given, says of the first records stays as it is, and its models' answers
// are what the labels of the others are judged by; all else is computed from all records.
// Costly parts are taken from `stages` where an earlier run left them there, and kept otherwise.
// Errors: bad_input for arrays of another shape, usage for names in `off` that are no feature.
// Throws TableInterrupted between two parts when input.stop says so.
TableFeatures table_features(const TableInput& input, const TableRecords& records,
                             const FeatureOptions& options, const EarlierRun* earlier,
                             StageStore& stages, ProgressSink& progress);

// Groups of records with equal content, of texts whose 5-grams have at least this Jaccard index,
// and of short ones (short_copies.h) a typing error apart. `links` join groups, too.
DuplicateGroups find_text_duplicates(const TableRecords& records, double threshold,
                                     const std::vector<Link>& links = {});

}  // namespace athanor::distill
