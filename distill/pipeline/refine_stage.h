// Stage 1 on a pool of labelled images: features, scores, selection, and its files.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "distill/refine/surface.h"
#include "distill/refine/uniqueness.h"
#include "tensor/tensor.h"

namespace athanor::distill {

struct RefineStageResult;

struct RefineStageInput {
  Tensor images;              // u8 [N, H, W]
  Tensor labels;              // i64 [N]
  std::vector<double> times;  // empty: none are known, freshness does not apply
  double reference_time = 0;
  // The noise matrix of the score is estimated for each quarter of the time, not for all records.
  bool noise_by_time = false;
  SurfaceLimits surface;
  DuplicateGroups copies;  // among the images; without records they are searched for
  Tensor probabilities;    // [N, K] of a model that did not learn from these records
  Tensor embeddings;       // f32 [N, d]
  std::uint64_t seed = 0;
  // Of a pool whose first records were refined before: what was said of them, which stays. Or null.
  const RefineStageResult* earlier = nullptr;
};

// Which of the sound records that stand for their group are kept; of the new ones where there is an
// earlier run.
struct Selection {
  enum class Kind {
    threshold,  // score >= value
    retention,  // best first, until their scores add up to `value` of the sum: estimated retention
    budget,     // the best `value` records
  };
  Kind kind = Kind::threshold;
  double value = 0.6;
};
// From "threshold", "retention" or "budget"; another name throws usage.
Selection::Kind selection_kind(std::string_view name);

struct RefineStageResult {
  std::vector<std::string> names;            // of the twelve features, then weight3, weight4
  std::vector<std::vector<double>> columns;  // [names][N]; NaN = not applicable
  std::vector<double> score;                 // probability that the record is effective
  std::vector<char> keep;
  std::vector<std::string> reason;  // "" where kept
  std::vector<std::int64_t> kept;   // golden records
  // Records that are no copies and whose image is sound: what a trusted teacher can label anew.
  // New ones alone where there is an earlier run.
  std::vector<std::int64_t> usable;
  double threshold = 0;  // lowest score that the selection kept
  double set_entropy = 0;
  double seconds = 0;
  // For summary.json, beside what is above.
  std::vector<std::pair<std::string, std::int64_t>> counts;
  std::vector<std::string> notes;

  const std::vector<double>& column(const std::string& name) const;
};

// score = P(label right | teacher, label) under an estimated noise matrix, times 0.02 where the
// image is not sound or a copy; of a group of copies the best record stands for all. A class that
// would lose all its records keeps its best one. Of a group of copies the record that an earlier
// run kept stands for all; where it kept none, a new one may.
RefineStageResult refine_stage(const RefineStageInput& input, const Selection& selection);

// scores.csv (docs/run_directory.md), summary.json.
void write_refine_stage(const std::filesystem::path& dir, const RefineStageResult& result);

}  // namespace athanor::distill
