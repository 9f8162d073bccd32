#include "distill/pipeline/refine_stage.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>

#include "distill/refine/feature_values.h"
#include "distill/refine/label_trust.h"
#include "distill/refine/label_weighing.h"
#include "distill/refine/neighbors.h"
#include "distill/refine/surface.h"
#include "distill/refine/uniqueness.h"
#include "tensor/base/error.h"
#include "tensor/io/atomic_file.h"

namespace athanor::distill {
namespace {

constexpr double kUnsound = 0.02;  // factor of the score of a copy, or where a check fails
constexpr std::int64_t kLabelNeighbours = 10;
constexpr std::int64_t kClassClusters = 5;  // clusters a class, for the diversity entropy

double mean_of(std::initializer_list<double> values, std::initializer_list<double> weights) {
  double total = 0, weight = 0;
  auto w = weights.begin();
  for (double v : values) {
    if (is_applicable(v)) {
      total += v * *w;
      weight += *w;
    }
    ++w;
  }
  return weight > 0 ? total / weight : kNotApplicable;
}

const char* reason_of(SurfaceFault fault) {
  switch (fault) {
    case SurfaceFault::missing:
      return "missing";
    case SurfaceFault::noise:
      return "noise";
    case SurfaceFault::out_of_domain:
      return "out_of_domain";
    case SurfaceFault::none:
      break;
  }
  return "";
}

// Everything of one pool that the features share.
struct Pool {
  std::vector<std::int64_t> labels;
  ProbabilityTable p;
  DuplicateGroups groups;
  SurfaceValidity surface;
  std::vector<double> posterior;
  std::size_t settled = 0;   // the first records, which an earlier run spoke of
  std::vector<char> stands;  // for its group
};

std::size_t settled_by(const RefineStageResult* earlier) {
  return earlier != nullptr ? earlier->keep.size() : 0;
}

Pool analyse(const RefineStageInput& in) {
  Pool pool;
  const std::int64_t N = in.images.size(0);
  pool.labels = in.labels.to_vector<std::int64_t>();
  pool.settled = settled_by(in.earlier);
  pool.p = to_probability_table(in.probabilities, N);
  pool.groups = in.copies.group.empty() ? find_image_duplicates(in.images) : in.copies;
  pool.surface = check_surface(in.images, in.surface);
  std::vector<std::int64_t> valid;
  for (std::int64_t i = 0; i < N; ++i) {
    if (pool.surface.valid(i)) valid.push_back(i);
  }
  if (in.noise_by_time) {
    const TimeSlices slices = time_slices(in.times);
    const SlicedNoise noise =
        estimate_sliced_noise(pool.p, pool.labels, valid, slices.of, slices.count);
    const ProbabilityTable p = sliced_class_posteriors(pool.p, pool.labels, slices.of, noise);
    for (std::int64_t i = 0; i < N; ++i) pool.posterior.push_back(p.row(i)[pool.labels[i]]);
  } else {
    const auto noise = estimate_noise_matrix(pool.p, pool.labels, valid);
    pool.posterior = label_posteriors(pool.p, pool.labels, noise);
  }
  return pool;
}

// Keeps the best record of a class that lost all of its own.
void keep_every_class(const Pool& pool, RefineStageResult& r) {
  std::vector<std::int64_t> best(static_cast<std::size_t>(pool.p.classes), -1);
  std::vector<char> alive(best.size(), 0);
  for (std::size_t i = 0; i < r.keep.size(); ++i) {
    const auto c = static_cast<std::size_t>(pool.labels[i]);
    if (r.keep[i]) alive[c] = 1;
    if (i < pool.settled) continue;
    if (best[c] < 0 || r.score[i] > r.score[static_cast<std::size_t>(best[c])]) {
      best[c] = static_cast<std::int64_t>(i);
    }
  }
  for (std::size_t c = 0; c < best.size(); ++c) {
    if (alive[c] || best[c] < 0) continue;
    r.keep[static_cast<std::size_t>(best[c])] = 1;
    r.reason[static_cast<std::size_t>(best[c])].clear();
  }
}

// The score from which on the usable records are kept.
double threshold_of(const RefineStageResult& r, const Selection& selection) {
  if (selection.kind == Selection::Kind::threshold) return selection.value;
  std::vector<double> scores;
  double total = 0;
  for (std::int64_t row : r.usable) {
    scores.push_back(r.score[static_cast<std::size_t>(row)]);
    total += scores.back();
  }
  std::sort(scores.begin(), scores.end(), std::greater<>());
  double covered = 0, count = 0;
  for (double score : scores) {
    covered += score;
    ++count;
    const double reached = selection.kind == Selection::Kind::budget ? count : covered / total;
    if (reached >= selection.value) return score;
  }
  return 0;
}

// Which record of each group stands for it: the best one, before all one that an earlier run kept,
// after all one that it dropped.
std::vector<char> standing(const Pool& pool, const RefineStageInput& in,
                           const RefineStageResult& r) {
  std::vector<double> rank = r.score;
  for (std::size_t i = 0; i < pool.settled; ++i) rank[i] = in.earlier->keep[i] ? 2 : -1;
  std::vector<char> stands(rank.size(), 0);
  for (std::int64_t row : best_of_groups(pool.groups.group, rank)) {
    stands[static_cast<std::size_t>(row)] = 1;
  }
  return stands;
}

void select(const Pool& pool, const Selection& selection, RefineStageResult& r) {
  const std::size_t N = pool.labels.size();
  r.keep.resize(N, 0);
  r.reason.resize(N);
  for (std::size_t i = pool.settled; i < N; ++i) {
    const bool sound = pool.surface.valid(static_cast<std::int64_t>(i));
    if (pool.stands[i] && sound) r.usable.push_back(static_cast<std::int64_t>(i));
  }
  r.threshold = threshold_of(r, selection);
  for (std::size_t i = pool.settled; i < N; ++i) {
    const bool sound = pool.surface.valid(static_cast<std::int64_t>(i));
    if (!pool.stands[i]) {
      r.reason[i] = "duplicate";
    } else if (!sound) {
      r.reason[i] = reason_of(pool.surface.fault[i]);
    } else if (r.score[i] < r.threshold) {
      r.reason[i] = "label";
    } else {
      r.keep[i] = 1;
    }
  }
  keep_every_class(pool, r);
  for (std::size_t i = 0; i < N; ++i) {
    if (r.keep[i]) r.kept.push_back(static_cast<std::int64_t>(i));
  }
}

void add_features(const RefineStageInput& in, const Pool& pool, RefineStageResult& r) {
  const std::size_t N = pool.labels.size();
  const auto add = [&](const char* name, std::vector<double> values) {
    if (in.earlier != nullptr) {
      const std::vector<double>& said = in.earlier->column(name);
      std::copy(said.begin(), said.end(), values.begin());
    }
    r.names.emplace_back(name);
    r.columns.push_back(std::move(values));
  };
  Freshness freshness;
  freshness.value.assign(N, kNotApplicable);
  if (!in.times.empty()) freshness = freshness_of(in.times, in.reference_time);
  const std::vector<char> agrees = agrees_with_group(pool.groups.group, pool.labels);
  const std::vector<double> trust = label_margins(pool.p, pool.labels);
  const Neighbors near = nearest_neighbors(in.embeddings, kLabelNeighbours);
  std::vector<double> completeness(N), rules(N), uniqueness(N), consistency(N), nll(N);
  for (std::size_t i = 0; i < N; ++i) {
    // Fields of a labelled image: image, label, time stamp; a blanked image counts as absent.
    const bool blank = pool.surface.fault[i] == SurfaceFault::missing;
    completeness[i] = (2.0 + (blank ? 0 : 1)) / 3;
    rules[i] = agrees[i];
    uniqueness[i] = pool.stands[i];
    consistency[i] = mean_of({rules[i], trust[i], uniqueness[i]}, {1, 1, 1});
    nll[i] = -std::log(std::max(pool.p.row(static_cast<std::int64_t>(i))[pool.labels[i]], 1e-12));
  }
  const std::vector<std::int64_t> cluster = kmeans_clusters(in.embeddings, kClassClusters, in.seed);
  std::vector<std::int64_t> cell(N);
  for (std::size_t i = 0; i < N; ++i) cell[i] = pool.labels[i] * kClassClusters + cluster[i];
  const std::int64_t cells = pool.p.classes * kClassClusters;
  r.set_entropy = normalised_entropy(cell, cells);
  const std::vector<double> diversity = leave_one_out_diversity(cell, cells);
  std::vector<std::int64_t> all(N);
  std::iota(all.begin(), all.end(), std::int64_t{0});
  std::vector<double> weight3(N), weight4(N);
  for (std::size_t i = 0; i < N; ++i) {
    weight3[i] = mean_of({freshness.value[i], diversity[i], consistency[i]}, {.4, .35, .25});
    weight4[i] = mean_of({freshness.value[i], completeness[i], consistency[i], diversity[i]},
                         {.3, .25, .25, .2});
  }
  add("freshness", freshness.value);
  add("completeness", completeness);
  add("consistency", consistency);
  add("diversity", diversity);
  add("rule_consistency", rules);
  add("label_trust", trust);
  add("novelty", novelty_of(in.embeddings, all));
  add("uniqueness", uniqueness);
  add("typicality", typicality_of(near));
  add("surface_validity", pool.surface.share);
  add("likelihood", likelihood_of(nll));
  add("learnability", learnability_of(el2n_scores(pool.p, pool.labels)));
  add("stability", std::vector<double>(N, kNotApplicable));  // needs a training history
  add("teacher_agreement", label_agreements(pool.p, pool.labels));
  add("weight3", weight3);
  add("weight4", weight4);
}

void put(std::ostream& out, double value) {
  if (is_applicable(value)) out << value;
}

}  // namespace

const std::vector<double>& RefineStageResult::column(const std::string& name) const {
  const auto it = std::find(names.begin(), names.end(), name);
  if (it == names.end()) fail("refine", "expected a feature, got ", name);
  return columns[static_cast<std::size_t>(it - names.begin())];
}

Selection::Kind selection_kind(std::string_view name) {
  if (name == "threshold") return Selection::Kind::threshold;
  if (name == "retention") return Selection::Kind::retention;
  if (name == "budget") return Selection::Kind::budget;
  raise(ErrorKind::usage, "refine.select: expected threshold, retention or budget, got ", name);
}

RefineStageResult refine_stage(const RefineStageInput& in, const Selection& selection) {
  const auto begun = std::chrono::steady_clock::now();
  Pool pool = analyse(in);
  RefineStageResult r;
  r.score = pool.posterior;
  for (std::size_t i = 0; i < r.score.size(); ++i) {
    if (!pool.surface.valid(static_cast<std::int64_t>(i))) r.score[i] *= kUnsound;
  }
  if (in.earlier != nullptr) {
    std::copy(in.earlier->score.begin(), in.earlier->score.end(), r.score.begin());
    r.keep = in.earlier->keep;
    r.reason = in.earlier->reason;
  }
  pool.stands = standing(pool, in, r);
  select(pool, selection, r);
  // Of a group one is enough, however right the labels of the others are.
  for (std::size_t i = pool.settled; i < r.score.size(); ++i) {
    if (r.reason[i] == "duplicate") r.score[i] *= kUnsound;
  }
  add_features(in, pool, r);
  r.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  return r;
}

void write_refine_stage(const std::filesystem::path& dir, const RefineStageResult& r) {
  std::ostringstream csv;
  csv << "row,id,keep,reason,score";
  for (const std::string& name : r.names) csv << ',' << name;
  csv << '\n';
  nlohmann::json reasons = nlohmann::json::object();
  for (std::size_t i = 0; i < r.keep.size(); ++i) {
    csv << i << ',' << i << ',' << int(r.keep[i]) << ',' << r.reason[i] << ',' << r.score[i];
    for (const auto& column : r.columns) put(csv << ',', column[i]);
    csv << '\n';
    if (!r.keep[i]) reasons[r.reason[i]] = reasons.value(r.reason[i], 0) + 1;
  }
  write_file_atomically(dir / "scores.csv", csv.str());
  nlohmann::json means = nlohmann::json::object();
  for (std::size_t k = 0; k < r.names.size(); ++k) {
    const double mean = applicable_mean(r.columns[k]);
    means[r.names[k]] = is_applicable(mean) ? nlohmann::json(mean) : nlohmann::json();
  }
  nlohmann::json summary = {
      {"total", r.keep.size()},
      {"kept", r.kept.size()},
      {"mean", means},
      {"dropped_by_reason", reasons},
      {"set_entropy", r.set_entropy},
      {"records_per_second", static_cast<double>(r.keep.size()) / std::max(r.seconds, 1e-9)},
      {"schema", "labelled images"}};
  for (const auto& [name, count] : r.counts) summary[name] = count;
  if (!r.notes.empty()) summary["notes"] = r.notes;
  write_file_atomically(dir / "summary.json", summary.dump(2) + "\n");
}

}  // namespace athanor::distill
