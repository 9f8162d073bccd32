#include "distill/refine/label_weighing.h"

#include <algorithm>
#include <cmath>

#include "distill/refine/feature_values.h"

namespace athanor::distill {
namespace {

constexpr std::int64_t kMostSearched = 32;  // classes
constexpr std::int64_t kSpans = 4;
constexpr std::int64_t kLeastOfCopies = 100;  // records with copies, and without
constexpr NoiseOptions kNoise{.shrink = 20, .iterations = 12, .equal_rows = 400, .shares = true};

}  // namespace

TimeSlices time_slices(const std::vector<double>& times, std::int64_t least) {
  TimeSlices slices;
  slices.of.assign(times.size(), 0);
  std::vector<double> stamps;
  for (const double t : times) {
    if (is_applicable(t)) stamps.push_back(t);
  }
  const std::int64_t spans = std::min(kSpans, std::ssize(stamps) / least);
  if (spans < 2) return slices;
  std::sort(stamps.begin(), stamps.end());
  std::vector<double> begin;  // of each span but the first
  for (std::int64_t s = 1; s < spans; ++s) begin.push_back(stamps[s * std::ssize(stamps) / spans]);
  for (std::size_t i = 0; i < times.size(); ++i) {
    slices.of[i] = is_applicable(times[i])
                       ? std::upper_bound(begin.begin(), begin.end(), times[i]) - begin.begin()
                       : spans;
  }
  slices.count = spans + 1;
  return slices;
}

bool few_classes(const LabelTask& task) { return task.classes <= kMostSearched; }

LabelWeighing::LabelWeighing(const LabelTask& task) : task_(task), slices_(time_slices(task.time)) {
  std::vector<std::vector<std::int64_t>> members(static_cast<std::size_t>(task.size()));
  for (std::int64_t i = 0; i < task.size(); ++i) {
    if (task.verified(i) && task.sound[i]) verified_.push_back(i);
    if (!task.sound[i] || i >= task.judged) continue;
    rows_.push_back(i);
    if (!task.verified(i)) unsure_.push_back(i);
    if (task.label[i] >= 0) members[task.group[i]].push_back(i);
  }
  for (auto& copies : members) {
    if (copies.size() > 1) copies_.push_back(std::move(copies));
  }
  tell_copies_apart();
}

void LabelWeighing::tell_copies_apart() {
  std::int64_t labelled = 0, copied = 0;
  for (const std::int64_t i : rows_) labelled += task_.label[i] >= 0;
  for (const auto& copies : copies_) copied += std::ssize(copies);
  if (std::min(copied, labelled - copied) < kLeastOfCopies) return;
  for (const auto& copies : copies_) {
    for (const std::int64_t i : copies) slices_.of[i] += slices_.count;
  }
  slices_.count *= 2;
}

void LabelWeighing::settle(ProbabilityTable& p) const {
  for (const std::int64_t i : verified_) {
    if (!p.known(i)) continue;
    double* row = p.values.data() + i * p.classes;
    std::fill(row, row + p.classes, 0.);
    row[task_.truth[i]] = 1;
  }
}

double LabelWeighing::likelihood(const ProbabilityTable& p, const SlicedNoise& noise) const {
  const double unsure = mean_log_likelihood(p, task_.label, unsure_, slices_.of, noise);
  if (verified_.empty()) return unsure;
  double sum = 0, count = 0;
  if (is_applicable(unsure)) {
    count = static_cast<double>(unsure_.size());
    sum = unsure * count;
  }
  for (const std::int64_t i : verified_) {
    // Answers with a teacher's and without are not to be told apart by one power.
    if (!p.known(i) || (task_.teacher.rows > 0 && !task_.teacher.known(i))) continue;
    sum += std::log(std::max(p.row(i)[task_.truth[i]], 1e-12));
    ++count;
  }
  return count > 0 ? sum / count : kNotApplicable;
}

Weighed LabelWeighing::weigh(const ProbabilityTable& p, double exponent) const {
  Weighed w;
  w.exponent = exponent;
  w.p = sharpened(p, exponent);
  ProbabilityTable settled;
  if (!verified_.empty()) settle(settled = w.p);
  const SlicedNoise noise = estimate_sliced_noise(verified_.empty() ? w.p : settled, task_.label,
                                                  rows_, slices_.of, slices_.count, kNoise);
  w.p = with_shares(w.p, noise.share);
  w.likelihood = likelihood(w.p, noise);
  w.posterior = sliced_class_posteriors(w.p, task_.label, slices_.of, noise);
  for (const auto& copies : copies_) join(copies, w, noise);
  settle(w.posterior);
  return w;
}

Weighed LabelWeighing::search(const ProbabilityTable& p, std::span<const double> exponents) const {
  constexpr double kBetween = 1.1892071150027210667;  // 2^(1/4), half of a step of the powers
  Weighed best;
  const auto attempt = [&](double exponent) {
    Weighed w = weigh(p, exponent);
    if (best.p.rows == 0 || w.likelihood > best.likelihood) best = std::move(w);
  };
  for (const double exponent : exponents) attempt(exponent);
  const double likeliest = best.exponent;
  attempt(likeliest / kBetween);
  attempt(likeliest * kBetween);
  return best;
}

Weighed LabelWeighing::with_second_view(Weighed a, const ProbabilityTable& b) const {
  const ProbabilityTable first = a.p;
  for (const double power : kExponents) {
    Weighed w = search(product_of(first, b, power));
    if (w.likelihood > a.likelihood) a = std::move(w);
  }
  return a;
}

// Copies have one class: P(class | p, all their labels), p being their geometric mean.
void LabelWeighing::join(const std::vector<std::int64_t>& copies, Weighed& w,
                         const SlicedNoise& noise) const {
  if (!w.p.known(copies.front())) return;
  const std::int64_t classes = w.p.classes;
  std::vector<double> log_p(static_cast<std::size_t>(classes));
  for (const std::int64_t i : copies) {
    for (std::int64_t k = 0; k < classes; ++k) {
      const double given = noise.of(slices_.of[i])[k * classes + task_.label[i]];
      log_p[k] += std::log(std::max(w.p.row(i)[k], 1e-12)) / static_cast<double>(copies.size()) +
                  std::log(std::max(given, 1e-12));
    }
  }
  const double most = *std::max_element(log_p.begin(), log_p.end());
  double total = 0;
  for (double& value : log_p) total += value = std::exp(value - most);
  for (double& value : log_p) value /= total;
  for (const std::int64_t i : copies) {
    std::copy(log_p.begin(), log_p.end(), w.posterior.values.begin() + i * classes);
  }
}

ProbabilityTable product_of(const ProbabilityTable& a, const ProbabilityTable& b, double power) {
  ProbabilityTable out{a.rows, a.classes, std::vector<double>(a.values.size())};
  for (std::int64_t i = 0; i < a.rows; ++i) {
    double* row = out.values.data() + i * a.classes;
    if (!a.known(i) || !b.known(i)) {
      std::copy_n((a.known(i) ? a : b).row(i), a.classes, row);
      continue;
    }
    double most = -std::numeric_limits<double>::infinity(), sum = 0;
    for (std::int64_t k = 0; k < a.classes; ++k) {
      row[k] =
          std::log(std::max(a.row(i)[k], 1e-9)) + power * std::log(std::max(b.row(i)[k], 1e-9));
      most = std::max(most, row[k]);
    }
    for (std::int64_t k = 0; k < a.classes; ++k) sum += row[k] = std::exp(row[k] - most);
    for (std::int64_t k = 0; k < a.classes; ++k) row[k] /= sum;
  }
  return out;
}

void MeanOfLogs::add(const ProbabilityTable& p) {
  if (sum_.rows == 0) sum_ = {p.rows, p.classes, std::vector<double>(p.values.size())};
  for (std::size_t i = 0; i < p.values.size(); ++i) {
    sum_.values[i] += std::log(std::max(p.values[i], 1e-30));
  }
  ++count_;
}

ProbabilityTable MeanOfLogs::mean() const {
  ProbabilityTable out = sum_;
  for (std::int64_t i = 0; i < out.rows; ++i) {
    double* row = out.values.data() + i * out.classes;
    const double most = *std::max_element(row, row + out.classes);
    double total = 0;
    for (std::int64_t k = 0; k < out.classes; ++k) {
      total += row[k] = std::exp((row[k] - most) / count_);
    }
    for (std::int64_t k = 0; k < out.classes; ++k) row[k] /= total;
  }
  return out;
}

}  // namespace athanor::distill
