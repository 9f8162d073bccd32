#include "tests/golden/golden.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/ops.h"

namespace athanor::test {
namespace {

std::vector<double> values_of(const Tensor& t) { return cast(t, DType::f64).to_vector<double>(); }

}  // namespace

NamedTensors load_golden(const std::string& name) {
  return load_safetensors(std::string(ATHANOR_GOLDEN_DIR) + "/" + name + ".safetensors").first;
}

double largest_error(const Tensor& got, const Tensor& golden) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  if (!(got.shape() == golden.shape())) return kInfinite;
  const std::vector<double> x = values_of(got), y = values_of(golden);
  double scale = 0, worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]))) continue;
    const double error = std::abs(x[i] - y[i]);
    if (!std::isfinite(error)) return kInfinite;
    worst = std::max(worst, error);
  }
  for (double v : y) {
    if (std::isfinite(v)) scale = std::max(scale, std::abs(v));
  }
  return worst == 0 ? 0 : worst / scale;
}

double norm_error(const Tensor& got, const Tensor& golden) {
  if (!(got.shape() == golden.shape())) return std::numeric_limits<double>::infinity();
  const std::vector<double> x = values_of(got), y = values_of(golden);
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    difference += (x[i] - y[i]) * (x[i] - y[i]);
    norm += y[i] * y[i];
  }
  return difference == 0 ? 0 : std::sqrt(difference / norm);
}

}  // namespace athanor::test
