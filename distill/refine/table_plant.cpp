#include "distill/refine/table_plant.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "data/time_text.h"
#include "distill/refine/clean_table.h"
#include "distill/refine/plant_counts.h"
#include "distill/refine/text_defects.h"
#include "tensor/base/error.h"
#include "tensor/random.h"

namespace athanor::distill {
namespace {

using Rows = std::vector<std::int64_t>;

// Independent random streams, one for each decision.
struct TableStream {
  enum : std::uint64_t { kOrder, kStale, kFlip, kBreak, kOverlap, kAge, kCopy, kShuffle, kMedia };
};

// The pool while it is made: first the records that are no copies, then the copies.
class TablePlanter {
 public:
  TablePlanter(const CleanTable& clean, const TablePlantOptions& options,
               const DefectCounts& counts, const DefectSet& wanted)
      : clean_(clean), o_(options), counts_(counts), wanted_(wanted), random_(options.plan.seed) {}

  PlantedTable run() {
    Rows order(clean_.rows.size());
    std::iota(order.begin(), order.end(), std::int64_t{0});
    Generator random = random_.fork(TableStream::kOrder);
    shuffle(order, random);
    const std::int64_t base = o_.plan.size - counts_.copies();
    for (std::int64_t i = 0; i < base; ++i) {
      rows_.push_back(clean_.rows[order[i]]);
      const std::int64_t row = std::ssize(manifest_);
      manifest_.push_back({{}, false, false, row, row, order[i], clean_.label[order[i]]});
      label_.push_back(clean_.label[order[i]]);
    }
    old_.assign(static_cast<std::size_t>(o_.plan.size), 0);
    change_.resize(static_cast<std::size_t>(o_.plan.size));
    plant_stale();
    plant_labels();
    break_records();
    age_effective();
    add_copies();
    PlantedTable planted = finish();
    for (std::size_t i = base; i < order.size() && std::ssize(planted.trusted) < o_.plan.trusted;
         ++i) {
      planted.trusted.push_back(clean_.rows[order[i]]);
    }
    return planted;
  }

 private:
  static bool is_broken(const DefectSet& kinds) {
    return kinds.has(Defect::missing) || kinds.has(Defect::noise) ||
           kinds.has(Defect::out_of_domain) || kinds.has(Defect::truncation) ||
           kinds.has(Defect::rule_conflict);
  }

  void set_wrong_label(std::int64_t row, Generator& random) {
    const std::int64_t classes = clean_.labels.size();
    label_[row] = (manifest_[row].true_label + 1 + random.next_below(classes - 1)) % classes;
  }

  // Labels are swapped within the two largest classes.
  void plant_stale() {
    const std::int64_t wanted = counts_[Defect::stale];
    std::vector<std::int64_t> size(static_cast<std::size_t>(clean_.labels.size()));
    for (const std::int64_t y : label_) ++size[y];
    const auto a = std::max_element(size.begin(), size.end()) - size.begin();
    size[a] = -1;
    const auto b = std::max_element(size.begin(), size.end()) - size.begin();
    Rows members;
    for (std::int64_t row = 0; row < std::ssize(rows_); ++row) {
      if (label_[row] == a || label_[row] == b) members.push_back(row);
    }
    if (std::ssize(members) < wanted) {
      raise(ErrorKind::usage, "plant: expected at least ", wanted,
            " records of two classes for the ", "stale ones, found ", members.size());
    }
    Generator random = random_.fork(TableStream::kStale);
    shuffle(members, random);
    old_stale_ = std::llround(kOldShare * static_cast<double>(wanted));
    for (std::int64_t i = 0; i < wanted; ++i) {
      label_[members[i]] = label_[members[i]] == a ? b : a;
      manifest_[members[i]].kinds.add(Defect::stale);
      old_[members[i]] = i < old_stale_;
    }
    for (std::int64_t row = 0; row < std::ssize(rows_); ++row) {
      if (manifest_[row].kinds.empty()) free_.push_back(row);
    }
    random = random_.fork(TableStream::kStale).fork(1);
    shuffle(free_, random);
  }

  Rows take(Defect kind) {
    Rows taken(free_.end() - counts_[kind], free_.end());
    free_.resize(free_.size() - taken.size());
    for (const std::int64_t row : taken) manifest_[row].kinds.add(kind);
    return taken;
  }

  void plant_labels() {
    Generator random = random_.fork(TableStream::kFlip);
    for (const std::int64_t row : take(Defect::flip)) set_wrong_label(row, random);
    for (const std::int64_t row : take(Defect::confuse)) {
      label_[row] = clean_.confusable[manifest_[row].true_label];
    }
  }

  template <class Fn>
  void change_text(std::int64_t row, Fn&& fn) {
    for (const std::size_t c : clean_.text_columns) rows_[row][c] = fn(rows_[row][c]);
  }

  // The picture and the sound.
  void change_media(std::int64_t row, Defect kind, int turn) {
    if (!clean_.has_media) return;
    change_[row] = {kind, turn, random_.fork(TableStream::kMedia).fork(row)};
  }

  void break_records() {
    Generator random = random_.fork(TableStream::kBreak),
              overlap = random_.fork(TableStream::kOverlap);
    int turn = 0;
    for (const std::int64_t row : take(Defect::missing)) {
      const int way = turn++ % 3;
      if (way == 2 && !clean_.text_columns.empty()) {
        no_label_.push_back(row);
      } else {
        change_text(row, [&](const auto&) { return std::string(way == 0 ? "" : "N/A"); });
        change_media(row, Defect::missing, way);
      }
    }
    for (const std::int64_t row : take(Defect::truncation)) {
      change_text(row, [&](const auto& text) { return truncated(text, random); });
    }
    for (const std::int64_t row : take(Defect::noise)) {
      change_text(row, [&](const auto& text) { return with_noise(text, random); });
      change_media(row, Defect::noise, 0);
    }
    for (const std::int64_t row : take(Defect::out_of_domain)) {
      ++turn;
      change_text(row, [&](const auto& text) { return foreign_text(text, turn, random); });
      change_media(row, Defect::out_of_domain, turn);
    }
    const auto at = std::find(clean_.columns.begin(), clean_.columns.end(), o_.conflict_column);
    for (const std::int64_t row : take(Defect::rule_conflict)) {
      rows_[row][at - clean_.columns.begin()] = o_.conflict_value;
    }
    for (std::int64_t row = 0; row < std::ssize(rows_); ++row) {
      const bool chosen = is_broken(manifest_[row].kinds) && overlap.next_uniform() < kOverlapShare;
      if (!chosen || !wanted_.has(Defect::flip)) continue;
      manifest_[row].kinds.add(Defect::flip);
      set_wrong_label(row, overlap);
    }
  }

  void age_effective() {
    for (std::int64_t row = 0; row < std::ssize(rows_); ++row) {
      const DefectSet& kinds = manifest_[row].kinds;
      manifest_[row].effective = kinds.empty();
      if (kinds.empty()) effective_.push_back(row);
      if (!is_broken(kinds) && (kinds.has(Defect::flip) || kinds.has(Defect::confuse))) {
        flipped_.push_back(row);
      }
    }
    Rows order = effective_;
    Generator random = random_.fork(TableStream::kAge);
    shuffle(order, random);
    for (std::int64_t i = 0; i < std::min(std::ssize(order), (old_stale_ + 1) / 2); ++i) {
      old_[order[i]] = 1;
    }
  }

  void add_copies() {
    Generator random = random_.fork(TableStream::kCopy);
    int turn = 0;
    for (const Defect kind : {Defect::duplicate, Defect::near_duplicate, Defect::contradiction}) {
      for (std::int64_t i = 0; i < counts_[kind]; ++i) {
        const bool clean = flipped_.empty() || kind == Defect::contradiction ||
                           random.next_uniform() < kCleanCopies;
        const Rows& from = clean ? effective_ : flipped_;
        const std::int64_t source = from[random.next_below(std::ssize(from))];
        const std::int64_t row = std::ssize(rows_);
        rows_.push_back(std::vector<std::string>(rows_[source]));
        label_.push_back(label_[source]);
        ManifestRow copy = manifest_[source];
        copy.original = copy.group = source;
        copy.effective = false;
        copy.kinds.add(kind);
        manifest_.push_back(copy);
        if (kind == Defect::near_duplicate) {
          ++turn;
          change_text(row, [&](const auto& text) { return slightly_changed(text, turn, random); });
          change_media(row, Defect::near_duplicate, turn);
        }
        const bool wrong = kind == Defect::contradiction ||
                           (wanted_.has(Defect::flip) && random.next_uniform() < kOverlapShare);
        if (!wrong) continue;
        if (kind != Defect::contradiction) manifest_[row].kinds.add(Defect::flip);
        set_wrong_label(row, random);
      }
    }
  }

  PlantedTable finish() {
    Generator ages = random_.fork(TableStream::kAge).fork(1);
    Rows order(static_cast<std::size_t>(o_.plan.size)), position(order.size());
    std::iota(order.begin(), order.end(), std::int64_t{0});
    Generator random = random_.fork(TableStream::kShuffle);
    shuffle(order, random);
    for (std::size_t i = 0; i < order.size(); ++i)
      position[order[i]] = static_cast<std::int64_t>(i);
    for (std::int64_t row = 0; row < std::ssize(rows_); ++row) {
      rows_[row][clean_.label_column] = clean_.labels.text(label_[row]);
    }
    for (const std::int64_t row : no_label_) rows_[row][clean_.label_column].clear();
    PlantedTable planted;
    planted.copies = clean_.copies;
    planted.columns = clean_.columns;
    planted.columns.push_back(o_.time_column);
    for (const std::int64_t from : order) {
      ManifestRow row = manifest_[from];
      row.original = position[row.original];
      row.group = position[row.group];
      row.correct = label_[from] == row.true_label && !is_broken(row.kinds);
      planted.manifest.push_back(row);
      planted.rows.push_back(rows_[from]);
      if (clean_.has_media) planted.changes.push_back(change_[from]);
      const double days = old_[from] ? 90 + 275 * ages.next_uniform() : 60 * ages.next_uniform();
      planted.rows.back().push_back(
          data::format_time(std::floor(kPlantReferenceTime - days * kDay)));
    }
    return planted;
  }

  const CleanTable& clean_;
  const TablePlantOptions& o_;
  const DefectCounts& counts_;
  const DefectSet& wanted_;
  const Generator random_;
  std::vector<std::vector<std::string>> rows_;
  Manifest manifest_;
  Rows label_, free_, effective_, flipped_, no_label_;
  std::vector<char> old_;
  std::vector<std::optional<MediaChange>> change_;
  std::int64_t old_stale_ = 0;
};

}  // namespace

PlantedTable plant_table(const TableInput& input, const TablePlantOptions& given) {
  TablePlantOptions options = given;
  PlantOptions& plan = options.plan;
  if (!(plan.effective > 0 && plan.effective < 1)) {
    raise(ErrorKind::usage, "plant: expected effective in (0, 1), got ", plan.effective);
  }
  DefectSet wanted;
  for (const Defect kind : plan.defects) wanted.add(kind);
  if (wanted.empty()) raise(ErrorKind::usage, "plant: expected kinds of defects, got none");
  const CleanTable clean = read_clean_table(input);
  const auto& columns = clean.columns;
  if (wanted.has(Defect::truncation) && clean.text_columns.empty()) {
    raise(ErrorKind::usage, "plant: expected a text column for truncation, found none");
  }
  if (wanted.has(Defect::rule_conflict) &&
      std::find(columns.begin(), columns.end(), options.conflict_column) == columns.end()) {
    raise(ErrorKind::usage, "plant: expected a column for rule_conflict, found '",
          options.conflict_column, "'");
  }
  if (std::find(columns.begin(), columns.end(), options.time_column) != columns.end()) {
    raise(ErrorKind::usage, "plant: expected a new name for the time column, found '",
          options.time_column, "'");
  }
  if (plan.size == 0) plan.size = std::ssize(clean.rows);
  const DefectCounts counts = count_defects(plan, wanted);
  const std::int64_t base = plan.size - counts.copies();
  if (std::ssize(clean.rows) < base || counts.effective < 1) {
    raise(ErrorKind::usage, "plant: a pool of ", plan.size, " needs ", base,
          " clean records and an effective one, got ", clean.rows.size(), " and ",
          counts.effective);
  }
  return TablePlanter(clean, options, counts, wanted).run();
}

}  // namespace athanor::distill
