#include "distill/refine/hashed_classifier.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "distill/restructure/knn_graph.h"
#include "tensor/base/error.h"
#include "tensor/base/parallel.h"
#include "tensor/random.h"

namespace athanor::distill {
namespace {

constexpr int kMostBits = 18, kLeastBits = 12;
constexpr std::int64_t kMostWeights = std::int64_t{1} << 23;

struct Cartography {
  std::vector<std::uint8_t> events, right;
  std::vector<float> sum, squares;  // of p_y over presentations
};

class LinearModel {
 public:
  LinearModel(const ClassifierInputs& inputs, std::int64_t classes, std::span<const float> idf,
              const ClassifierOptions& options)
      : inputs_(inputs),
        classes_(classes),
        width_(inputs.embeddings.defined() ? inputs.embeddings.size(1) : 0),
        idf_(idf),
        options_(options),
        p_(static_cast<std::size_t>(classes)),
        gradient_(static_cast<std::size_t>(classes)) {
    bits_ = kMostBits;
    while (bits_ > kLeastBits && (classes << bits_) > kMostWeights) --bits_;
    // One row of `classes` weights a cell: hashed tokens, then the embedding's dimensions.
    weight_.resize(static_cast<std::size_t>((std::int64_t{1} << bits_) + width_) * p_.size());
    squares_.resize(weight_.size(), 1e-6f);
    bias_.resize(p_.size());
    bias_squares_.resize(p_.size(), 1e-6f);
    for (std::int64_t d = 0; d < width_; ++d) {
      dense_cell_.push_back(static_cast<std::size_t>((std::int64_t{1} << bits_) + d) * p_.size());
    }
  }

  void set_rate(double rate) { rate_ = static_cast<float>(rate); }

  // Softmax of the record's scores; valid until the next call.
  const std::vector<double>& predict(std::int64_t row) {
    load(row);
    std::vector<float>& z = gradient_;
    std::copy(bias_.begin(), bias_.end(), z.begin());
    for (std::size_t t = 0; t < cell_.size(); ++t) {
      const float* w = weight_.data() + cell_[t];
      for (std::int64_t k = 0; k < classes_; ++k) z[k] += w[k] * value_[t];
    }
    const double most = *std::max_element(z.begin(), z.end());
    double sum = 0;
    for (std::int64_t k = 0; k < classes_; ++k) sum += p_[k] = std::exp(z[k] - most);
    for (double& p : p_) p /= sum;
    return p_;
  }

  // One step on the record that predict() saw last, with a label or a distribution over classes.
  void learn(std::int64_t y, double weight) {
    const double robust = options_.robust;
    const double scale = weight * (robust > 0 ? std::pow(std::max(p_[y], 1e-6), robust) : 1);
    for (std::int64_t k = 0; k < classes_; ++k) {
      gradient_[k] = static_cast<float>(scale * (p_[k] - (k == y)));
    }
    step();
  }
  void learn(const double* target, double weight) {
    for (std::int64_t k = 0; k < classes_; ++k) {
      gradient_[k] = static_cast<float>(weight * (p_[k] - target[k]));
    }
    step();
  }

 private:
  void step() {
    for (std::int64_t k = 0; k < classes_; ++k) update(bias_[k], bias_squares_[k], gradient_[k]);
    const auto decay = static_cast<float>(options_.decay);
    for (std::size_t t = 0; t < cell_.size(); ++t) {
      float* w = weight_.data() + cell_[t];
      float* s = squares_.data() + cell_[t];
      for (std::int64_t k = 0; k < classes_; ++k) {
        update(w[k], s[k], gradient_[k] * value_[t] + decay * w[k]);
      }
    }
  }
  void update(float& weight, float& squares, float gradient) const {
    squares += gradient * gradient;
    weight -= rate_ * gradient / std::sqrt(squares);
  }
  void load(std::int64_t row) {
    cell_.clear();
    value_.clear();
    double squares = 0;
    for (const std::uint32_t token : inputs_.tokens.row(row)) {
      const float value = idf_[token >> (32 - kMostBits)];
      cell_.push_back(std::size_t{token >> (32 - bits_)} * p_.size());
      value_.push_back(value);
      squares += double(value) * value;
    }
    const auto scale = static_cast<float>(squares > 0 ? 1 / std::sqrt(squares) : 0);
    for (float& value : value_) value *= scale;
    if (width_ == 0) return;
    const float* x = inputs_.embeddings.data<float>() + row * width_;
    cell_.insert(cell_.end(), dense_cell_.begin(), dense_cell_.end());
    value_.insert(value_.end(), x, x + width_);
  }

  const ClassifierInputs& inputs_;
  const std::int64_t classes_, width_;
  const std::span<const float> idf_;
  const ClassifierOptions& options_;
  int bits_;
  float rate_ = 0;
  std::vector<float> weight_, squares_, bias_, bias_squares_;
  std::vector<std::size_t> cell_, dense_cell_;
  std::vector<float> value_;
  std::vector<double> p_;
  std::vector<float> gradient_;
};

std::int64_t fold_of(std::int64_t group, std::uint64_t seed, int folds) {
  return philox(seed, static_cast<std::uint64_t>(group), 1)[0] % static_cast<unsigned>(folds);
}

// Forgetting, cartography and accuracy of all folds' models.
void summarise(const std::vector<Cartography>& maps, std::span<const std::int64_t> label,
               const ClassifierOptions& options, OutOfFold& result) {
  const std::int64_t n = std::ssize(label), classes = result.p.classes;
  result.forgetting.resize(n);
  result.confidence.resize(n);
  result.variability.resize(n);
  result.presentations = std::int64_t{options.folds - 1} * (options.epochs - 1) + 1;
  const double seen = double(options.folds - 1) * options.epochs;
  std::int64_t labelled = 0, right = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    double sum = 0, squares = 0;
    for (const Cartography& map : maps) {
      result.forgetting[i] += map.events[i];
      sum += map.sum[i];
      squares += map.squares[i];
    }
    const double mean = sum / seen;
    result.confidence[i] = static_cast<float>(mean);
    result.variability[i] =
        static_cast<float>(std::sqrt(std::max(0., squares / seen - mean * mean)));
    if (label[i] < 0) continue;
    const double* p = result.p.row(i);
    ++labelled;
    right += std::max_element(p, p + classes) - p == label[i];
  }
  result.accuracy = labelled > 0 ? static_cast<double>(right) / static_cast<double>(labelled) : 0;
}

}  // namespace

OutOfFold out_of_fold(const ClassifierInputs& given, std::span<const std::int64_t> label,
                      std::int64_t classes, std::span<const std::int64_t> group,
                      std::span<const float> weight, const ProbabilityTable* targets,
                      const ClassifierOptions& options) {
  const std::int64_t n = given.tokens.size();
  if (options.folds < 2 || options.epochs < 2 || classes < 2 || std::ssize(label) != n ||
      std::ssize(group) != n || (!weight.empty() && std::ssize(weight) != n)) {
    fail("out_of_fold", "expected folds, epochs, classes >= 2 and ", n,
         " labels and groups, got folds ", options.folds, ", epochs ", options.epochs, ", classes ",
         classes, ", ", label.size(), " labels, ", group.size(), " groups");
  }
  ClassifierInputs inputs{given.tokens, {}};
  if (given.embeddings.defined()) {
    if (given.embeddings.rank() != 2 || given.embeddings.size(0) != n) {
      fail("out_of_fold", "expected embeddings [", n, ", d], got ", describe(given.embeddings));
    }
    inputs.embeddings = unit_rows(given.embeddings);
  }
  const std::vector<float> idf = inverse_document_frequencies(inputs.tokens);
  OutOfFold result;
  result.p = {n, classes, std::vector<double>(static_cast<std::size_t>(n * classes))};
  std::vector<Cartography> maps(static_cast<std::size_t>(options.folds));
  parallel_chunks(options.folds, [&](std::int64_t fold) {
    std::vector<std::int64_t> learn, judge;
    for (std::int64_t i = 0; i < n; ++i) {
      const bool held_out = fold_of(group[i], options.seed, options.folds) == fold;
      if (held_out) judge.push_back(i);
      const bool teaches = label[i] >= 0 && (weight.empty() || weight[i] > 0) &&
                           (targets == nullptr || targets->known(i));
      if (!held_out && teaches) learn.push_back(i);
    }
    LinearModel model(inputs, classes, idf, options);
    Cartography& map = maps[fold];
    map.events.resize(n);
    map.right.resize(n);
    map.sum.resize(n);
    map.squares.resize(n);
    Generator random(options.seed, 100 + static_cast<std::uint64_t>(fold));
    for (int epoch = 0; epoch < options.epochs; ++epoch) {
      for (std::int64_t k = std::ssize(learn) - 1; k > 0; --k) {
        std::swap(learn[k], learn[random.next_below(k + 1)]);
      }
      const bool falls = inputs.embeddings.defined();
      model.set_rate(falls ? options.rate * (options.epochs - epoch) / options.epochs
                           : options.rate);
      for (const std::int64_t i : learn) {
        const std::vector<double>& p = model.predict(i);
        const bool right = std::max_element(p.begin(), p.end()) - p.begin() == label[i];
        map.events[i] += epoch > 0 && map.right[i] && !right;
        map.right[i] = right;
        const auto own = static_cast<float>(p[label[i]]);
        map.sum[i] += own;
        map.squares[i] += own * own;
        const double teaches = weight.empty() ? 1 : weight[i];
        if (targets != nullptr) {
          model.learn(targets->row(i), teaches);
        } else {
          model.learn(label[i], teaches);
        }
      }
    }
    for (const std::int64_t i : judge) {
      const std::vector<double>& p = model.predict(i);
      std::copy(p.begin(), p.end(), result.p.values.begin() + i * classes);
    }
  });
  summarise(maps, label, options, result);
  return result;
}

void judge_by_one_model(const ClassifierInputs& inputs, std::span<const std::int64_t> label,
                        std::span<const float> weight, std::span<const std::int64_t> rows,
                        const ClassifierOptions& options, ProbabilityTable& out) {
  const std::int64_t n = inputs.tokens.size();
  if (std::ssize(label) != n || std::ssize(weight) != n || out.rows != n) {
    fail("judge_by_one_model", "expected ", n, " labels, weights and rows of the answer, got ",
         label.size(), ", ", weight.size(), ", ", out.rows);
  }
  std::vector<std::int64_t> learn;
  for (std::int64_t i = 0; i < n; ++i) {
    if (label[i] >= 0 && weight[i] > 0) learn.push_back(i);
  }
  const std::vector<float> idf = inverse_document_frequencies(inputs.tokens);
  LinearModel model(inputs, out.classes, idf, options);
  model.set_rate(options.rate);
  Generator random(options.seed, 99);
  for (int epoch = 0; epoch < options.epochs; ++epoch) {
    for (std::int64_t k = std::ssize(learn) - 1; k > 0; --k) {
      std::swap(learn[k], learn[random.next_below(k + 1)]);
    }
    for (const std::int64_t i : learn) {
      model.predict(i);
      model.learn(label[i], weight[i]);
    }
  }
  for (const std::int64_t i : rows) {
    const std::vector<double>& p = model.predict(i);
    std::copy(p.begin(), p.end(), out.values.begin() + i * out.classes);
  }
}

}  // namespace athanor::distill
