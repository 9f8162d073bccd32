#include "distill/refine/score_model.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "distill/refine/feature_values.h"
#include "tensor/base/error.h"
#include "tensor/io/atomic_file.h"

namespace athanor::distill {
namespace {

constexpr int kNewtonSteps = 30;
constexpr std::size_t kUnknowns = kFeatures + 1;
using Vector = std::array<double, kUnknowns>;
using Matrix = std::array<Vector, kUnknowns>;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// Solves a x = b for a symmetric positive definite a (Cholesky).
Vector solve(Matrix a, Vector b) {
  for (std::size_t i = 0; i < kUnknowns; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = a[i][j];
      for (std::size_t k = 0; k < j; ++k) sum -= a[i][k] * a[j][k];
      a[i][j] = i == j ? std::sqrt(std::max(sum, 1e-12)) : sum / a[j][j];
    }
  }
  for (std::size_t i = 0; i < kUnknowns; ++i) {
    for (std::size_t k = 0; k < i; ++k) b[i] -= a[i][k] * b[k];
    b[i] /= a[i][i];
  }
  for (std::size_t i = kUnknowns; i-- > 0;) {
    for (std::size_t k = i + 1; k < kUnknowns; ++k) b[i] -= a[k][i] * b[k];
    b[i] /= a[i][i];
  }
  return b;
}

// Minimises the ridge-penalised logistic loss; weights that are not free stay 0.
Vector newton(std::span<const FeatureRow> rows, std::span<const char> good, double ridge,
              const std::function<Vector(const FeatureRow&)>& inputs,
              const std::array<bool, kFeatures>& free) {
  Vector w{};
  for (int step = 0; step < kNewtonSteps; ++step) {
    Matrix hessian{};
    Vector gradient{};
    for (std::size_t k = 0; k < kUnknowns; ++k) {
      const double decay = k < kFeatures ? ridge : 1e-6;
      hessian[k][k] = decay;
      gradient[k] = decay * w[k];
    }
    for (std::size_t i = 0; i < rows.size(); ++i) {
      Vector x = inputs(rows[i]);
      for (std::size_t k = 0; k < kFeatures; ++k) x[k] *= free[k];
      double sum = 0;
      for (std::size_t k = 0; k < kUnknowns; ++k) sum += w[k] * x[k];
      const double p = sigmoid(sum), slope = std::max(p * (1 - p), 1e-6);
      for (std::size_t k = 0; k < kUnknowns; ++k) {
        gradient[k] += (p - (good[i] != 0)) * x[k];
        for (std::size_t j = 0; j <= k; ++j) hessian[k][j] += slope * x[k] * x[j];
      }
    }
    const Vector move = solve(hessian, gradient);
    double largest = 0;
    for (std::size_t k = 0; k < kUnknowns; ++k) {
      w[k] -= move[k];
      largest = std::max(largest, std::abs(move[k]));
    }
    if (largest < 1e-8) break;
  }
  return w;
}

}  // namespace

const std::array<std::string_view, kFeatures> kFeatureNames{
    "freshness",  "completeness", "rule_consistency", "label_trust",
    "novelty",    "uniqueness",   "typicality",       "surface_validity",
    "likelihood", "learnability", "stability",        "teacher_agreement"};

double ScoreModel::score(const FeatureRow& row) const {
  double sum = bias;
  for (std::size_t k = 0; k < kFeatures; ++k) {
    if (is_applicable(row[k])) sum += weight[k] * (row[k] - centre[k]);
  }
  return sigmoid(sum);
}

int ScoreModel::worst(const FeatureRow& row) const {
  int worst = -1;
  double least = 0;
  for (std::size_t k = 0; k < kFeatures; ++k) {
    if (!is_applicable(row[k])) continue;
    const double part = weight[k] * (row[k] - centre[k]);
    if (part < least) {
      least = part;
      worst = static_cast<int>(k);
    }
  }
  return worst;
}

ScoreModel fit_score_model(std::span<const FeatureRow> rows, std::span<const char> good,
                           double ridge) {
  const auto positives = std::count_if(good.begin(), good.end(), [](char g) { return g != 0; });
  if (rows.size() != good.size() || positives == 0 || positives == std::ssize(good)) {
    raise(ErrorKind::usage, "fit_score_model: expected good and bad records, got ", positives,
          " good ones of ", good.size());
  }
  ScoreModel model;
  std::array<double, kFeatures> deviation{};
  for (std::size_t k = 0; k < kFeatures; ++k) {
    double sum = 0, squares = 0, count = 0;
    for (const FeatureRow& row : rows) {
      if (!is_applicable(row[k])) continue;
      sum += row[k];
      squares += row[k] * row[k];
      ++count;
    }
    if (count == 0) continue;
    model.centre[k] = sum / count;
    const double variance = squares / count - model.centre[k] * model.centre[k];
    deviation[k] = variance > 1e-12 ? std::sqrt(variance) : 0;
  }
  const auto inputs = [&](const FeatureRow& row) {
    Vector x{};
    for (std::size_t k = 0; k < kFeatures; ++k) {
      if (is_applicable(row[k]) && deviation[k] > 0) {
        x[k] = (row[k] - model.centre[k]) / deviation[k];
      }
    }
    x[kFeatures] = 1;
    return x;
  };
  std::array<bool, kFeatures> free{};
  for (std::size_t k = 0; k < kFeatures; ++k) free[k] = deviation[k] > 0;
  Vector w{};
  for (bool again = true; again;) {
    w = newton(rows, good, ridge, inputs, free);
    again = false;
    for (std::size_t k = 0; k < kFeatures; ++k) {
      if (!free[k] || w[k] >= 0) continue;
      free[k] = false;
      again = true;
    }
  }
  model.bias = w[kFeatures];
  for (std::size_t k = 0; k < kFeatures; ++k) {
    model.weight[k] = free[k] ? w[k] / deviation[k] : 0;
  }
  return model;
}

ScoreModel load_score_model(const std::filesystem::path& path) {
  ScoreModel model;
  try {
    const toml::table table = toml::parse_file(path.string());
    const auto number = [&](const toml::node_view<const toml::node>& node, std::string_view name) {
      const auto value = node.value<double>();
      if (!value || !std::isfinite(*value)) {
        raise(ErrorKind::usage, path.string(), ": expected a number for ", name, ", found none");
      }
      return *value;
    };
    model.bias = number(table["bias"], "bias");
    for (std::size_t k = 0; k < kFeatures; ++k) {
      model.centre[k] =
          number(table["centre"][kFeatureNames[k]], fmt::format("centre.{}", kFeatureNames[k]));
      model.weight[k] =
          number(table["weight"][kFeatureNames[k]], fmt::format("weight.{}", kFeatureNames[k]));
    }
  } catch (const toml::parse_error& error) {
    raise(ErrorKind::usage, path.string(), ": line ", error.source().begin.line, ": ",
          error.description());
  }
  return model;
}

void save_score_model(const std::filesystem::path& path, const ScoreModel& model) {
  std::string text = fmt::format("bias = {:.6g}\n", model.bias);
  for (const auto& [name, values] :
       {std::pair("centre", &model.centre), std::pair("weight", &model.weight)}) {
    text += fmt::format("\n[{}]\n", name);
    for (std::size_t k = 0; k < kFeatures; ++k) {
      text += fmt::format("{} = {:.6g}\n", kFeatureNames[k], (*values)[k]);
    }
  }
  write_file_atomically(path, text);
}

ScoreModel default_score_model() {
  ScoreModel model;
  // The teacher has no weight of its own: what it says is part of label_trust.
  model.bias = -1.24768;
  model.centre = {.528374, .985553, .945368, .760135, .329779, .8513,
                  .385106, .981657, .494049, .902625, .998007, .5};
  model.weight = {.538109, 17.671, 12.7398, 7.35566, 0, 11.0911, 0, 21.713, .544151, 0, .761562, 0};
  return model;
}

}  // namespace athanor::distill
