// The largest error of the vectorised float functions, in ULP against double, over a dense sweep of
// each function's domain; the limits are those that tensor/backend/cpu/vector_math.h states.
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "tensor/ops.h"

using namespace athanor;

namespace {

// Distance of `value` from `exact` in steps of the float grid around `exact`.
double ulp_error(float value, double exact) {
  const double magnitude = std::max(std::abs(exact), 0x1p-126);
  const int exponent = std::ilogb(magnitude);
  return std::abs(static_cast<double>(value) - exact) / std::ldexp(1.0, exponent - 23);
}

// Every 997th float of [low, high], both of one sign, so that all exponents are met.
std::vector<float> sweep(float low, float high) {
  std::vector<float> values;
  const auto first = std::bit_cast<std::uint32_t>(low), last = std::bit_cast<std::uint32_t>(high);
  for (std::uint32_t bits = std::min(first, last); bits < std::max(first, last); bits += 997) {
    values.push_back(std::bit_cast<float>(bits));
  }
  return values;
}

struct Function {
  const char* name;
  Tensor (*run)(const Tensor&);
  double (*exact)(double);
  std::vector<std::pair<float, float>> ranges;
  double limit;
};

double exact_sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

}  // namespace

TEST_CASE("vectorised float functions keep to their stated errors") {
  const std::vector<Function> functions{
      {"exp", exp, std::exp, {{1e-8f, 88.7f}, {-1e-8f, -87.3f}}, 1},
      {"expm1", expm1, std::expm1, {{1e-20f, 88.7f}, {-1e-20f, -87.0f}}, 1.5},
      {"log", log, std::log, {{1e-44f, 3e38f}}, 1},
      {"log1p", log1p, std::log1p, {{1e-20f, 3e38f}, {-1e-20f, -0.999f}}, 1.5},
      {"tanh", tanh, std::tanh, {{1e-20f, 20.0f}, {-1e-20f, -20.0f}}, 2.5},
      {"sigmoid", sigmoid, exact_sigmoid, {{1e-8f, 40.0f}, {-1e-8f, -87.0f}}, 2.5},
      {"erf", erf, std::erf, {{1e-20f, 6.0f}, {-1e-20f, -6.0f}}, 2.5},
  };
  for (const Function& f : functions) {
    for (const auto& [low, high] : f.ranges) {
      const std::vector<float> x = sweep(low, high);
      const Tensor input = from_values(x, {static_cast<std::int64_t>(x.size())});
      const std::vector<float> y = f.run(input).to_vector<float>();
      double worst = 0;
      float where = 0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double error = ulp_error(y[i], f.exact(static_cast<double>(x[i])));
        if (error > worst || std::isnan(error)) {
          worst = error;
          where = x[i];
        }
      }
      INFO(f.name << " from " << low << " to " << high << ": " << worst << " ULP at " << where);
      CHECK(worst <= f.limit);
    }
  }
}

TEST_CASE("gelu in float stays within 2e-7 |x| of the exact value") {
  for (const auto& [low, high] :
       std::vector<std::pair<float, float>>{{1e-20f, 40.0f}, {-1e-20f, -40.0f}}) {
    const std::vector<float> x = sweep(low, high);
    const std::vector<float> y =
        gelu(from_values(x, {static_cast<std::int64_t>(x.size())})).to_vector<float>();
    double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double at = x[i], exact = 0.5 * at * std::erfc(-at * std::sqrt(0.5));
      worst = std::max(worst, std::abs(y[i] - exact) / std::abs(at));
    }
    CHECK(worst <= 2e-7);
    CHECK(worst > 1e-9);  // it is the float function that was measured
  }
  CHECK(gelu(full({}, 100)).item() == 100);
  CHECK(gelu(full({}, -100)).item() == 0);
  CHECK(std::isnan(gelu(full({}, std::nan(""))).item()));
}

TEST_CASE("gelu's derivative in float stays within 4e-7 of the exact value") {
  for (const auto& [low, high] :
       std::vector<std::pair<float, float>>{{1e-20f, 40.0f}, {-1e-20f, -40.0f}}) {
    const std::vector<float> x = sweep(low, high);
    const Tensor input = from_values(x, {static_cast<std::int64_t>(x.size())});
    const std::vector<float> slope = gelu_grad(input, full_like(input, 1)).to_vector<float>();
    double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double at = x[i], density = std::exp(-0.5 * at * at) * 0.39894228040143267794;
      const double exact = 0.5 * std::erfc(-at * std::sqrt(0.5)) + at * density;
      worst = std::max(worst, std::abs(slope[i] - exact));
    }
    CHECK(worst <= 4e-7);
    CHECK(worst > 1e-9);  // it is the float function that was measured
  }
  const auto at = [](double x) { return gelu_grad(full({}, x), full({}, 1)).item(); };
  CHECK(at(std::numeric_limits<double>::infinity()) == 1);
  CHECK(at(-std::numeric_limits<double>::infinity()) == 0);
  CHECK(std::isnan(at(std::nan(""))));
}

TEST_CASE("vectorised float functions at special values") {
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto at = [](Tensor (*f)(const Tensor&), float x) {
    return static_cast<float>(f(full({}, x)).item());
  };
  CHECK(at(exp, 0) == 1);
  CHECK(at(exp, inf) == inf);
  CHECK(at(exp, 89) == inf);
  CHECK(at(exp, -inf) == 0);
  CHECK(at(exp, -100) == Approx(3.8e-44).epsilon(0.1));  // subnormal: one step is 1.4e-45
  CHECK(at(log, 0) == -inf);
  CHECK(at(log, 1) == 0);
  CHECK(at(log, inf) == inf);
  CHECK(std::isnan(at(log, -1)));
  CHECK(at(log1p, -1) == -inf);
  CHECK(at(log1p, inf) == inf);
  CHECK(at(expm1, -inf) == -1);
  CHECK(at(expm1, inf) == inf);
  CHECK(at(tanh, inf) == 1);
  CHECK(at(tanh, -inf) == -1);
  CHECK(at(erf, inf) == 1);
  CHECK(at(erf, -inf) == -1);
  CHECK(at(sigmoid, inf) == 1);
  CHECK(at(sigmoid, -inf) == 0);
  CHECK(std::signbit(at(tanh, -0.0f)));
  CHECK(std::signbit(at(erf, -0.0f)));
  using Function = Tensor (*)(const Tensor&);
  for (Function f : std::initializer_list<Function>{exp, log, log1p, expm1, tanh, erf, sigmoid}) {
    CHECK(std::isnan(at(f, nan)));
  }
}
