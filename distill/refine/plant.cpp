#include "distill/refine/plant.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "distill/refine/image_defects.h"
#include "distill/refine/plant_counts.h"
#include "tensor/base/error.h"
#include "tensor/ops/copy.h"
#include "tensor/random.h"

namespace athanor::distill {
namespace {

using Rows = std::vector<std::int64_t>;

// Independent random streams: one for each decision, so that none shifts when another changes.
enum Stream : std::uint64_t {
  kOrder,
  kStale,
  kPick,
  kFlip,
  kBlank,
  kNoise,
  kOutOfDomain,
  kOverlap,
  kAge,
  kCopy,
  kNear,
  kShuffle
};

std::int64_t round_to_count(double x) { return static_cast<std::int64_t>(std::llround(x)); }

Rows iota(std::int64_t n) {
  Rows rows(n);
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

// For each class the other class whose mean image is nearest.
Rows nearest_classes(const Tensor& images, const Tensor& labels, std::int64_t classes) {
  const std::int64_t n = images.size(0), pixels = images.numel() / n;
  std::vector<double> mean(classes * pixels), count(classes);
  const auto* x = images.data<std::uint8_t>();
  const auto* y = labels.data<std::int64_t>();
  for (std::int64_t i = 0; i < n; ++i) {
    ++count[y[i]];
    for (std::int64_t j = 0; j < pixels; ++j) mean[y[i] * pixels + j] += x[i * pixels + j];
  }
  Rows nearest(classes);
  for (std::int64_t a = 0; a < classes; ++a) {
    double best = std::numeric_limits<double>::infinity();
    nearest[a] = (a + 1) % classes;
    for (std::int64_t b = 0; b < classes; ++b) {
      if (a == b || count[a] == 0 || count[b] == 0) continue;
      double distance = 0;
      for (std::int64_t j = 0; j < pixels; ++j) {
        const double d = mean[a * pixels + j] / count[a] - mean[b * pixels + j] / count[b];
        distance += d * d;
      }
      if (distance < best) {
        best = distance;
        nearest[a] = b;
      }
    }
  }
  return nearest;
}

// The pool while it is made: first the records that are no copies, then the copies.
class Planter {
 public:
  Planter(const Tensor& images, const Tensor& labels, const PlantOptions& options,
          const DefectCounts& counts, const DefectSet& wanted)
      : options_(options),
        counts_(counts),
        wanted_(wanted),
        random_(options.seed),
        height_(images.size(1)),
        width_(images.size(2)),
        source_images_(images.data<std::uint8_t>()),
        source_labels_(labels.data<std::int64_t>()),
        confusable_(options.confusable.empty() ? nearest_classes(images, labels, options.classes)
                                               : options.confusable) {
    Rows order = iota(images.size(0));
    Generator random = random_.fork(kOrder);
    shuffle(order, random);
    const std::int64_t base = options.size - counts.copies();
    base_.assign(order.begin(), order.begin() + base);
    spare_.assign(order.begin() + base, order.end());
    pixels_.reserve(options.size * height_ * width_);
    for (std::int64_t source : base_) append_source(source);
    old_.assign(options.size, 0);
  }

  PlantedPool plant() {
    plant_stale();
    plant_wrong_labels();
    break_images();
    overlap_wrong_labels();
    age_effective();
    add_copies();
    return finish();
  }

 private:
  ImageView image(std::int64_t row) {
    return {pixels_.data() + row * height_ * width_, height_, width_};
  }

  void append_source(std::int64_t source) {
    const std::uint8_t* begin = source_images_ + source * height_ * width_;
    pixels_.insert(pixels_.end(), begin, begin + height_ * width_);
    const std::int64_t row = std::ssize(rows_), label = source_labels_[source];
    rows_.push_back({{}, false, false, row, row, source, label});
    labels_.push_back(label);
  }

  // The next `count` records without defect, in a random order fixed by plant_stale().
  Rows take(Defect kind) {
    const std::int64_t count = counts_[kind];
    Rows taken(free_.begin() + next_free_, free_.begin() + next_free_ + count);
    next_free_ += count;
    for (std::int64_t row : taken) rows_[row].kinds.add(kind);
    return taken;
  }

  void set_wrong_label(std::int64_t row, Generator& random) {
    labels_[row] =
        (rows_[row].true_label + 1 + random.next_below(options_.classes - 1)) % options_.classes;
  }

  // Swaps labels within pairs of classes: one pair, more only where one has too few records.
  void plant_stale() {
    Generator random = random_.fork(kStale);
    Rows classes = iota(options_.classes), candidates;
    shuffle(classes, random);
    const std::int64_t wanted = counts_[Defect::stale];
    for (std::size_t pair = 0; std::ssize(candidates) < wanted; pair += 2) {
      if (pair + 1 >= classes.size()) {
        raise(ErrorKind::usage, "cannot plant ", wanted, " stale records: only ", candidates.size(),
              " belong to a pair of classes");
      }
      const std::int64_t a = classes[pair], b = classes[pair + 1];
      Rows members;
      for (std::int64_t row = 0; row < std::ssize(rows_); ++row) {
        if (labels_[row] == a || labels_[row] == b) members.push_back(row);
      }
      shuffle(members, random);
      members.resize(std::min(std::ssize(members), wanted - std::ssize(candidates)));
      for (std::int64_t row : members) labels_[row] = labels_[row] == a ? b : a;
      candidates.insert(candidates.end(), members.begin(), members.end());
    }
    for (std::int64_t row : candidates) rows_[row].kinds.add(Defect::stale);
    old_stale_ = round_to_count(kOldShare * static_cast<double>(wanted));
    for (std::int64_t i = 0; i < old_stale_; ++i) old_[candidates[i]] = 1;
    for (std::int64_t row = 0; row < std::ssize(rows_); ++row) {
      if (rows_[row].kinds.empty()) free_.push_back(row);
    }
    Generator pick = random_.fork(kPick);
    shuffle(free_, pick);
  }

  void plant_wrong_labels() {
    Generator random = random_.fork(kFlip);
    for (std::int64_t row : take(Defect::flip)) set_wrong_label(row, random);
    for (std::int64_t row : take(Defect::confuse)) {
      labels_[row] = confusable_[rows_[row].true_label];
    }
  }

  void break_images() {
    Generator blank = random_.fork(kBlank), noise = random_.fork(kNoise);
    Generator foreign = random_.fork(kOutOfDomain);
    for (std::int64_t row : take(Defect::missing)) blank_block(image(row), blank);
    for (std::int64_t row : take(Defect::noise)) add_noise(image(row), kNoiseLevel, false, noise);
    int turn = 0;
    for (std::int64_t row : take(Defect::out_of_domain)) {
      make_foreign(image(row), turn++, foreign);
    }
  }

  static bool is_broken(const DefectSet& kinds) {
    return kinds.has(Defect::missing) || kinds.has(Defect::noise) ||
           kinds.has(Defect::out_of_domain);
  }

  void overlap_wrong_labels() {
    if (!wanted_.has(Defect::flip)) return;
    Generator random = random_.fork(kOverlap);
    for (std::int64_t row = 0; row < std::ssize(rows_); ++row) {
      if (!is_broken(rows_[row].kinds) || random.next_uniform() >= kOverlapShare) continue;
      rows_[row].kinds.add(Defect::flip);
      set_wrong_label(row, random);
    }
  }

  void age_effective() {
    for (std::int64_t row = 0; row < std::ssize(rows_); ++row) {
      const DefectSet& kinds = rows_[row].kinds;
      rows_[row].effective = kinds.empty();
      if (kinds.empty()) effective_.push_back(row);
      if (!is_broken(kinds) && (kinds.has(Defect::flip) || kinds.has(Defect::confuse))) {
        flipped_.push_back(row);
      }
    }
    Generator random = random_.fork(kAge);
    Rows order = effective_;
    shuffle(order, random);
    const std::int64_t old = std::min(std::ssize(order), (old_stale_ + 1) / 2);
    for (std::int64_t i = 0; i < old; ++i) old_[order[i]] = 1;
  }

  void add_copies() {
    Generator random = random_.fork(kCopy), near_random = random_.fork(kNear);
    const std::int64_t copies = counts_.copies(), near = counts_[Defect::near_duplicate];
    for (std::int64_t i = 0; i < copies; ++i) {
      const bool clean = flipped_.empty() || random.next_uniform() < kCleanCopies;
      const Rows& from = clean ? effective_ : flipped_;
      const std::int64_t source = from[random.next_below(std::ssize(from))];
      const std::int64_t row = std::ssize(rows_);
      const std::int64_t pixels = height_ * width_;
      pixels_.resize(pixels_.size() + pixels);
      std::copy_n(image(source).pixels, pixels, image(row).pixels);
      ManifestRow copy = rows_[source];
      copy.original = copy.group = source;
      copy.effective = false;
      copy.kinds.add(i < copies - near ? Defect::duplicate : Defect::near_duplicate);
      rows_.push_back(copy);
      labels_.push_back(labels_[source]);
      if (i >= copies - near) {
        change_slightly(image(row), near_random);
      }
      if (wanted_.has(Defect::flip) && random.next_uniform() < kOverlapShare) {
        rows_[row].kinds.add(Defect::flip);
        set_wrong_label(row, random);
      }
    }
  }

  // Shuffles the pool and gives each record its time.
  PlantedPool finish() {
    Generator random = random_.fork(kShuffle), ages = random_.fork(kAge).fork(0);
    const std::int64_t n = options_.size, pixels = height_ * width_;
    Rows order = iota(n), position(n);
    shuffle(order, random);
    for (std::int64_t i = 0; i < n; ++i) position[order[i]] = i;
    PlantedPool pool;
    pool.images = empty({n, height_, width_}, DType::u8);
    pool.labels = empty({n}, DType::i64);
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t from = order[i];
      std::copy_n(image(from).pixels, pixels, pool.images.data<std::uint8_t>() + i * pixels);
      pool.labels.data<std::int64_t>()[i] = labels_[from];
      ManifestRow row = rows_[from];
      row.original = position[row.original];
      row.group = position[row.group];
      row.correct = labels_[from] == row.true_label && !is_broken(row.kinds);
      pool.manifest.push_back(row);
      const double days = old_[from] ? 90 + 275 * ages.next_uniform() : 60 * ages.next_uniform();
      pool.times.push_back(std::floor(pool.reference_time - days * kDay));
    }
    pool.base = base_;
    spare_.resize(std::min(std::ssize(spare_), options_.trusted));
    pool.trusted = spare_;
    return pool;
  }

  const PlantOptions& options_;
  const DefectCounts& counts_;
  const DefectSet& wanted_;
  const Generator random_;
  const std::int64_t height_, width_;
  const std::uint8_t* source_images_;
  const std::int64_t* source_labels_;
  const Rows confusable_;
  Rows base_, spare_;
  std::vector<std::uint8_t> pixels_;
  Manifest rows_;
  Rows labels_;
  std::vector<char> old_;
  Rows free_, effective_, flipped_;
  std::int64_t next_free_ = 0, old_stale_ = 0;
};

void check(const Tensor& images, const Tensor& labels, const PlantOptions& options) {
  if (images.rank() != 3 || images.dtype() != DType::u8 || images.size(1) < 8 ||
      images.size(2) < 8) {
    fail("plant_defects", "expected images u8 [N, H >= 8, W >= 8], got ", describe(images));
  }
  if (labels.rank() != 1 || labels.dtype() != DType::i64 || labels.size(0) != images.size(0)) {
    fail("plant_defects", "expected labels i64 [", images.size(0), "], got ", describe(labels));
  }
  if (options.classes < 2) {
    raise(ErrorKind::usage, "cannot plant defects: expected at least 2 classes, got ",
          options.classes);
  }
  for (std::int64_t label : labels.to_vector<std::int64_t>()) {
    if (label < 0 || label >= options.classes) {
      fail("plant_defects", "expected labels in [0, ", options.classes, "), got ", label);
    }
  }
  if (!options.confusable.empty() && std::ssize(options.confusable) != options.classes) {
    fail("plant_defects", "expected ", options.classes, " confusable classes, got ",
         options.confusable.size());
  }
  for (std::int64_t c = 0; c < std::ssize(options.confusable); ++c) {
    const std::int64_t other = options.confusable[c];
    if (other < 0 || other >= options.classes || other == c) {
      fail("plant_defects", "expected confusable[", c, "] to be another class, got ", other);
    }
  }
  const double effective = options.effective * static_cast<double>(options.size);
  if (!(options.effective > 0 && options.effective < 1) || round_to_count(effective) < 1 ||
      round_to_count(effective) >= options.size) {
    raise(ErrorKind::usage, "cannot plant defects: expected effective in (0, 1) and a pool that ",
          "has room for both sorts, got ", options.effective, " of ", options.size, " records");
  }
}

}  // namespace

PlantedPool plant_defects(const Tensor& images, const Tensor& labels, const PlantOptions& options) {
  check(images, labels, options);
  DefectSet wanted;
  for (Defect kind : options.defects) {
    if (static_cast<int>(kind) >= kImageDefectCount) {
      raise(ErrorKind::usage, "cannot plant defects: ", name_of(kind), " is none of images");
    }
    wanted.add(kind);
  }
  if (wanted.empty()) raise(ErrorKind::usage, "cannot plant defects: no kind is listed");
  const DefectCounts counts = count_defects(options, wanted);
  const std::int64_t base = options.size - counts.copies();
  if (images.size(0) < base) {
    raise(ErrorKind::usage, "cannot plant defects: a pool of ", options.size, " needs ", base,
          " clean records, got ", images.size(0));
  }
  return Planter(contiguous(images), contiguous(labels), options, counts, wanted).plant();
}

}  // namespace athanor::distill
