#include "distill/refine/table_features.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "distill/refine/character_model.h"
#include "distill/refine/copy_labels.h"
#include "distill/refine/feature_values.h"
#include "distill/refine/label_trust.h"
#include "distill/refine/record_copies.h"
#include "distill/refine/table_arrays.h"
#include "distill/refine/table_labels.h"
#include "distill/refine/table_neighbours.h"
#include "distill/refine/table_stages.h"
#include "tensor/base/error.h"
#include "tensor/ops/cat.h"
#include "tensor/ops/copy.h"

namespace athanor::distill {
namespace {

enum Feature : std::size_t {
  kFreshness,
  kCompleteness,
  kRules,
  kLabelTrust,
  kNovelty,
  kUniqueness,
  kTypicality,
  kSurface,
  kLikelihood,
  kLearnability,
  kStability,
  kTeacher
};

// Uniqueness of a near copy that no better record says in the same words. With the default weights
// it costs 4.4 of the score's logits: a score of 0.97 becomes 0.28.
constexpr double kOtherWording = .6;

bool is_zero_row(const Tensor& x, std::int64_t row) {
  const float* begin = x.data<float>() + row * x.size(1);
  return std::all_of(begin, begin + x.size(1), [](float value) { return value == 0; });
}

class FeatureWork {
 public:
  FeatureWork(const TableInput& input, const TableRecords& records, const FeatureOptions& options,
              const EarlierRun* earlier, StageStore& stages, ProgressSink& progress)
      : in_(input),
        r_(records),
        o_(options),
        earlier_(earlier),
        stages_(stages),
        progress_(progress),
        n_(records.size()) {
    for (const std::string& name : o_.off) {
      if (std::find(kFeatureNames.begin(), kFeatureNames.end(), name) != kFeatureNames.end()) {
        continue;
      }
      raise(ErrorKind::usage, "--without: expected the name of a feature, found '", name, "'");
    }
    f_.notes = r_.media.notes;
    if (!o_.embeddings.empty() && r_.media.width > 0) {
      raise(ErrorKind::usage, "--embeddings: expected none, since the table has a column of ",
            "embeddings; got both (in the schema the column may be of another type)");
    }
    if (!o_.embeddings.empty()) {
      embeddings_ = load_vectors(o_.embeddings, n_);
    } else if (r_.media.any()) {
      embeddings_ = vectors_of(r_.media);
    }
    FeatureRow none;
    none.fill(kNotApplicable);
    f_.row.assign(static_cast<std::size_t>(n_), none);
  }

  TableFeatures run() {
    ProgressTask task(progress_, "features", 5, "steps");
    if (!o_.link.fields.empty()) {
      f_.links = stages_.run(
          "links", [&] { return link_records(in_, r_, o_.link); }, pack_links, unpack_links);
    }
    f_.groups = stages_.run(
        "copies", [&] { return find_copies(r_, o_.near_duplicate, f_.links); }, pack_copies,
        unpack_copies);
    for (const std::string& note : copies_not_sought(r_)) f_.notes.push_back(note);
    done(task, 1, "duplicates");
    fields_and_rules();
    const std::vector<double> nll = stages_.run(
        "likelihood", [&] { return character_nll(r_.text); }, pack_values, unpack_values);
    put(kLikelihood, likelihood_of(nll));
    surface(nll);
    done(task, 2, "likelihood");
    neighbours();
    done(task, 3, "neighbours");
    labels();
    uniqueness();
    done(task, 4, "labels");
    scores();
    if (earlier_ != nullptr) take_over_earlier();
    task.update(5, "scores");
    return std::move(f_);
  }

 private:
  void done(ProgressTask& task, std::int64_t step, std::string_view name) const {
    task.update(step, name);
    if (in_.stop && in_.stop()) throw TableInterrupted{};
  }
  bool on(Feature k) const { return !o_.off.contains(std::string(kFeatureNames[k])); }
  void put(Feature k, const std::vector<double>& values) {
    if (!on(k)) return;
    for (std::int64_t i = 0; i < n_; ++i) f_.row[i][k] = values[i];
  }
  std::vector<double> column(Feature k) const {
    std::vector<double> values;
    for (const FeatureRow& row : f_.row) values.push_back(row[k]);
    return values;
  }

  void fields_and_rules() {
    if (r_.has_time) {
      f_.reference_time = in_.schema.reference_time;
      if (std::isnan(f_.reference_time)) {
        f_.reference_time = -std::numeric_limits<double>::infinity();
        for (const double t : r_.time) {
          if (!std::isnan(t)) f_.reference_time = std::max(f_.reference_time, t);
        }
        f_.notes.push_back("freshness: the reference time is the latest stamp of the table");
      }
      const Freshness freshness = freshness_of(r_.time, f_.reference_time);
      f_.half_life = freshness.half_life;
      f_.freshness_underflow = freshness.underflow;
      put(kFreshness, freshness.value);
    } else {
      f_.notes.push_back("freshness: no time column; weight3 and weight4 are renormalised");
    }
    put(kCompleteness, r_.completeness);
    const std::vector<char> agrees = agrees_with_group(f_.groups.group, r_.label);
    put(kRules, rule_consistency(r_, f_.groups.group, agrees));
  }

  void surface(const std::vector<double>& nll) {
    if (r_.has_text) text_surface(nll);
    if (!r_.has_text && !r_.media.has_looks()) {
      f_.notes.push_back("surface_validity: no text column");
    }
    std::vector<double> share(static_cast<std::size_t>(n_), kNotApplicable);
    for (std::int64_t i = 0; i < n_; ++i) {
      if (r_.has_text) share[i] = f_.surface[i].share();
      const std::uint8_t checks = r_.has_text ? f_.surface[i].applied : 0;
      share[i] = r_.media.surface_share(i, share[i], checks);
    }
    put(kSurface, share);
  }

  void text_surface(const std::vector<double>& nll) {
    f_.surface = r_.surface;
    std::vector<std::int64_t> length;
    std::vector<LastWords> last;
    for (std::int64_t i = 0; i < n_; ++i) {
      length.push_back(std::ssize(r_.text[i]));
      last.push_back(f_.surface[i].last);
    }
    const std::vector<char> usual = usual_texts(r_.missing, f_.groups.group);
    check_corpus(nll, length, usual, f_.surface);
    check_endings(ending_log_odds(r_.tokens, last, usual), f_.surface);
  }

  std::int64_t earlier_records() const { return earlier_ != nullptr ? earlier_->size() : 0; }

  void take_over_earlier() {
    const EarlierRun& e = *earlier_;
    std::copy(e.row.begin(), e.row.end(), f_.row.begin());
    std::copy(e.consistency.begin(), e.consistency.end(), f_.consistency.begin());
    std::copy(e.diversity.begin(), e.diversity.end(), f_.diversity.begin());
    std::copy(e.weight3.begin(), e.weight3.end(), f_.weight3.begin());
    std::copy(e.weight4.begin(), e.weight4.end(), f_.weight4.begin());
    std::copy(e.score.begin(), e.score.end(), f_.score.begin());
  }

  // Content that a label can be learned from.
  bool sound(std::int64_t i) const {
    return r_.missing[i] < 0 && r_.media.look_fault(i) == LookFault::none &&
           (!r_.has_text || f_.surface[i].faults == 0);
  }

  // One record stands for a group of copies: a sound one with the best score; before all one that
  // an earlier run kept, after all one that it dropped. One of each other wording of the group
  // keeps a part of its uniqueness.
  void uniqueness() {
    std::vector<double> rank;
    for (std::int64_t i = 0; i < n_; ++i) {
      rank.push_back(o_.model.score(f_.row[i]) - (sound(i) ? 0 : 1));
    }
    for (std::int64_t i = 0; i < earlier_records(); ++i) rank[i] += earlier_->keep[i] ? 3 : -3;
    std::vector<double> unique(static_cast<std::size_t>(n_));
    std::vector<char> heard(static_cast<std::size_t>(n_));  // wordings of a group's best record
    for (const std::int64_t row : best_of_groups(f_.groups.group, rank)) {
      unique[row] = 1;
      heard[f_.groups.wording[row]] = 1;
    }
    for (const std::int64_t row : best_of_groups(f_.groups.wording, rank)) {
      if (!heard[f_.groups.wording[row]]) unique[row] = kOtherWording;
    }
    put(kUniqueness, unique);
  }

  // Features 5 and 7, and the clusters of the diversity.
  void neighbours() {
    // What a picture looks like tells less of a record than its words.
    const bool by_vectors = !r_.has_text || !o_.embeddings.empty() || r_.media.width > 0;
    const bool own = by_vectors && o_.embeddings.empty() && r_.media.any();
    std::vector<char> silent;
    for (std::int64_t i = 0; i < n_; ++i) {
      silent.push_back(own ? is_zero_row(embeddings_, i) : r_.tokens.row(i).empty());
    }
    NeighbourFeatures near = stages_.run(
        "neighbours",
        [&] {
          return neighbour_features(r_.tokens, by_vectors ? embeddings_ : Tensor{}, silent,
                                    f_.groups.group, o_.near_duplicate, o_.seed, earlier_records());
        },
        pack_neighbours, unpack_neighbours);
    if (!near.note.empty()) f_.notes.push_back(near.note);
    put(kNovelty, near.novelty);
    put(kTypicality, near.typicality);
    cluster_ = std::move(near.cluster);
    clusters_ = near.clusters;
  }

  TrustedSet read_trusted_set() {
    TrustedSet trusted = read_trusted(in_, r_, o_.trusted,
                                      o_.embeddings.empty() ? 0 : embeddings_.size(1), progress_);
    f_.trusted = trusted.size();
    f_.trusted_overlap = trusted.overlap();
    f_.notes.push_back(trusted.note(earlier_records()));
    return trusted;
  }

  ProbabilityTable load_table(const std::filesystem::path& path) const {
    return load_probabilities(path, n_, r_.label_names.size());
  }
  ProbabilityTable unknown_probabilities() const {
    const std::int64_t classes = r_.label_names.size();
    const auto cells = static_cast<std::size_t>(n_ * classes);
    return {n_, classes, std::vector<double>(cells, kNotApplicable)};
  }

  // What `judge` finds of the labels, or found in a run that was interrupted.
  template <class F>
  LabelEvidence judged(F&& judge) {
    return stages_.run("labels", judge, pack_labels, unpack_labels);
  }

  void watched(const OutOfFold& training) {
    f_.confidence.assign(training.confidence.begin(), training.confidence.end());
    f_.variability.assign(training.variability.begin(), training.variability.end());
    put(kStability, stability_of(training.forgetting, training.presentations));
  }

  bool by_looks() const {
    return o_.judge_looks && r_.media.has_looks() && r_.media.width == 0 && o_.embeddings.empty() &&
           n_ <= kMostLooks;
  }
  ProbabilityTable answers_to_looks(const LabelTask& task, const TrustedSet* trusted) {
    const std::vector<Look>& looks = r_.media.main_looks();
    Tensor pictures = look_pictures(looks);
    if (trusted != nullptr) {
      pictures = contiguous(cat(std::vector<Tensor>{pictures, look_pictures(trusted->looks)}, 0));
    }
    ProbabilityTable p = o_.judge_looks(pictures, task, stages_, progress_);
    for (std::int64_t i = 0; i < n_; ++i) {
      if (looks[i].there) continue;
      std::fill_n(p.values.begin() + i * p.classes, p.classes, kNotApplicable);
    }
    return p;
  }

  // Features 4, 10, 11 and 12.
  void labels() {
    f_.suspect.assign(n_, 0);
    f_.guess.assign(n_, -1);
    std::optional<TrustedSet> trusted;
    if (!o_.trusted.records.empty()) trusted = read_trusted_set();
    const std::string why = label_obstacle(r_);
    if (!why.empty()) {
      f_.notes.push_back("label_trust, learnability, stability, teacher_agreement: " + why);
      return;
    }
    std::vector<char> sound_rows(static_cast<std::size_t>(n_));
    for (std::int64_t i = 0; i < n_; ++i) sound_rows[i] = sound(i);
    LabelTask task =
        label_task(r_, embeddings_, f_.groups.group, sound_rows, trusted ? &*trusted : nullptr);
    ProbabilityTable teacher;
    if (!o_.teacher.empty()) {
      teacher = load_table(o_.teacher);
      task.teacher = teacher;
      task.teacher.rows = task.size();
      task.teacher.values.resize(static_cast<std::size_t>(task.size() * task.classes),
                                 kNotApplicable);
    }
    LabelEvidence evidence;
    const bool off = !on(kLabelTrust) && !on(kLearnability) && !on(kStability);
    if (off) {
      f_.notes.push_back("label_trust, learnability, stability: switched off, nothing was trained");
      evidence.p = evidence.posterior = unknown_probabilities();
    } else if (!o_.probabilities.empty()) {
      const ProbabilityTable given = load_table(o_.probabilities);
      evidence = judged([&] { return judge_by_answers(task, given, o_.seed); });
      watched(evidence.training);
    } else if (earlier_ != nullptr) {
      if (!earlier_->labels) {
        f_.notes.push_back("label_trust, learnability, stability: the earlier run judged no label");
        return;
      }
      evidence = judged([&] { return judge_new_labels(task, *earlier_->labels, o_.seed); });
      f_.notes.push_back("stability: no training was watched for the new records");
    } else if (by_looks()) {
      evidence = judged([&] {
        return judge_by_answers(task, answers_to_looks(task, trusted ? &*trusted : nullptr),
                                o_.seed);
      });
      watched(evidence.training);
    } else {
      evidence = judged([&] { return judge_labels(task, o_.seed); });
      watched(evidence.training);
    }
    const ProbabilityTable& p = evidence.p;
    if (evidence.joint) {
      const std::vector<char> agrees =
          most_probable_of_copies(r_, f_.groups.group, sound_rows, evidence.posterior);
      put(kRules, rule_consistency(r_, f_.groups.group, agrees));
    }
    put(kLabelTrust, label_margins(evidence.posterior, r_.label));
    put(kLearnability, learnability_of(el2n_scores(p, r_.label)));
    f_.suspect = confident_joint_flags(p, r_.label);
    std::int64_t right = 0, known = 0;
    for (std::int64_t i = 0; i < n_; ++i) {
      if (!p.known(i)) continue;
      f_.guess[i] = std::max_element(p.row(i), p.row(i) + p.classes) - p.row(i);
      known += r_.label[i] >= 0;
      right += f_.guess[i] == r_.label[i];
    }
    f_.agreement = known > 0 ? double(right) / double(known) : kNotApplicable;
    if (o_.teacher.empty()) {
      f_.notes.push_back("teacher_agreement: no teacher given");
    } else {
      put(kTeacher, label_agreements(teacher, r_.label));
    }
    if (!off && o_.probabilities.empty()) f_.labels = std::move(evidence);
  }

  void scores() {
    const std::int64_t classes = std::max<std::int64_t>(r_.label_names.size(), 1);
    std::vector<std::int64_t> cell(n_);
    for (std::int64_t i = 0; i < n_; ++i) {
      cell[i] = std::max<std::int64_t>(r_.label[i], 0) * clusters_ + cluster_[i];
    }
    f_.set_entropy = normalised_entropy(cell, classes * clusters_);
    f_.diversity = leave_one_out_diversity(cell, classes * clusters_);
    for (std::int64_t i = 0; i < n_; ++i) {
      const FeatureRow& x = f_.row[i];
      const double consistency =
          weighted_mean({x[kRules], x[kLabelTrust], x[kUniqueness]}, {1, 1, 1});
      f_.consistency.push_back(consistency);
      f_.weight3.push_back(
          weighted_mean({x[kFreshness], f_.diversity[i], consistency}, {.4, .35, .25}));
      f_.weight4.push_back(weighted_mean(
          {x[kFreshness], x[kCompleteness], consistency, f_.diversity[i]}, {.3, .25, .25, .2}));
      f_.score.push_back(o_.model.score(x));
    }
  }

  const TableInput& in_;
  const TableRecords& r_;
  const FeatureOptions& o_;
  const EarlierRun* earlier_;  // or null
  StageStore& stages_;
  ProgressSink& progress_;
  const std::int64_t n_;
  TableFeatures f_;
  Tensor embeddings_;  // f32 [n, d], or undefined
  std::vector<std::int64_t> cluster_;
  std::int64_t clusters_ = 0;
};

}  // namespace

TableFeatures table_features(const TableInput& input, const TableRecords& records,
                             const FeatureOptions& options, const EarlierRun* earlier,
                             StageStore& stages, ProgressSink& progress) {
  return FeatureWork(input, records, options, earlier, stages, progress).run();
}

}  // namespace athanor::distill
