// exp, log, tanh, ... as straight-line code that the compiler turns into vector code.
//
// Included after isa_begin.h. The float versions have no branch and no call; each states its
// largest error in ULP (units in the last place) against the exact value, which
// tests/backend/vector_math_test.cpp measures. The double versions call the C library.
// Polynomials: near-minimax fits by Chebyshev interpolation in 40 digits, rounded to float.
//
// Special values are IEEE's: NaN stays NaN, exp(inf) = inf, log(0) = -inf, log(x < 0) = NaN.
#pragma once

// 2^n for n in [-126, 127].
ATHANOR_INLINE float power_of_two(int n) { return std::bit_cast<float>((n + 127) << 23); }

// x = n ln 2 + r with |r| <= ln 2 / 2; r in two parts keeps all bits.
struct ExpParts {
  int n;
  float r;
};
ATHANOR_INLINE ExpParts split_exp(float x) {
  constexpr float kRound = 0x1.8p23f;  // adding it leaves the nearest integer in the low bits
  const float shifted = x * 1.44269504f + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  return {std::bit_cast<int>(shifted) - std::bit_cast<int>(kRound), r};
}

// e^r - 1 for |r| <= ln 2 / 2.
ATHANOR_INLINE float expm1_reduced(float r) {
  float p = 1.98910799e-4f;
  p = p * r + 1.39337312e-3f;
  p = p * r + 8.33331048e-3f;
  p = p * r + 4.1666463e-2f;
  p = p * r + 0.166666672f;
  p = p * r + 0.5f;
  return r + (r * r) * p;
}

// Within 1 ULP for normal results; subnormal results within 1 step.
ATHANOR_INLINE float exp_of(float x) {
  x = x < -104.0f ? -104.0f : x;
  x = x > 89.0f ? 89.0f : x;
  const ExpParts parts = split_exp(x);
  const float e = 1.0f + expm1_reduced(parts.r);
  // In two steps, so that 2^n itself neither overflows nor becomes subnormal.
  const int half = parts.n >> 1;
  return e * power_of_two(half) * power_of_two(parts.n - half);
}
inline double exp_of(double x) { return std::exp(x); }

// Within 1.5 ULP.
ATHANOR_INLINE float expm1_of(float x) {
  const float low = x < -30.0f ? -30.0f : x;
  const float y = low > 89.0f ? 89.0f : low;
  const ExpParts parts = split_exp(y);
  const int half = parts.n >> 1;
  const int rest = parts.n - half;
  const float scale = power_of_two(half), e = expm1_reduced(parts.r);
  // 2^n (1 + e) - 1, with 2^rest taken out so that 2^128 does not appear.
  const float y_n = (e * scale + (scale - power_of_two(-rest))) * power_of_two(rest);
  return parts.n == 0 ? e : y_n;
}
inline double expm1_of(double x) { return std::expm1(x); }

// Within 1 ULP.
ATHANOR_INLINE float log_of(float x) {
  const bool tiny = x < 0x1p-126f;  // subnormal, or not positive
  const float scaled = tiny ? x * 0x1p23f : x;
  // scaled = 2^e m with m in [sqrt(1/2), sqrt(2)); f = m - 1.
  const int bits = static_cast<int>(std::bit_cast<unsigned>(scaled) - 0x3f3504f3u);
  const float e = static_cast<float>((bits >> 23) - (tiny ? 23 : 0));
  const float f = std::bit_cast<float>((bits & 0x7fffff) + 0x3f3504f3) - 1.0f;
  // log(1 + f) = 2 atanh(s), s = f / (2 + f); arranged so that f enters exactly.
  const float s = f / (2.0f + f);
  const float z = s * s;
  float p = 0.233316138f;
  p = p * z + 0.285507798f;
  p = p * z + 0.400001228f;
  p = p * z + 0.666666687f;
  const float square = 0.5f * f * f;
  const float y = (s * (square + p * z) - e * 2.12194440e-4f) - square + f + e * 0.693359375f;
  const float infinity = std::numeric_limits<float>::infinity();
  const float edge = x == 0.0f ? -infinity : std::numeric_limits<float>::quiet_NaN();
  return x > 0.0f ? (x == infinity ? infinity : y) : edge;
}
inline double log_of(double x) { return std::log(x); }

// Within 1.5 ULP.
ATHANOR_INLINE float log1p_of(float x) {
  const float u = 1.0f + x;
  // u was rounded: its error divided by u is the derivative's correction.
  const float lost = u - 1.0f == x ? 0.0f : (x - (u - 1.0f)) / u;
  return u == std::numeric_limits<float>::infinity() ? u : log_of(u) + lost;
}
inline double log1p_of(double x) { return std::log1p(x); }

// Within 2.5 ULP.
ATHANOR_INLINE float tanh_of(float x) {
  const float magnitude = std::abs(x);
  const float t = expm1_of(2.0f * (magnitude > 15.0f ? 15.0f : magnitude));
  return std::copysign(t / (t + 2.0f), x);
}
inline double tanh_of(double x) { return std::tanh(x); }

// Within 2.5 ULP for normal results.
ATHANOR_INLINE float sigmoid_of(float x) {
  const float e = exp_of(-std::abs(x));
  return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}
inline double sigmoid_of(double x) {
  const double e = std::exp(-std::abs(x));
  return (x < 0.0 ? e : 1.0) / (1.0 + e);
}

// Within 2.5 ULP.
ATHANOR_INLINE float erf_of(float x) {
  const float a = std::abs(x);
  const float z = a * a;
  float small = 7.87587487e-05f;
  small = small * z - 8.0168643e-4f;
  small = small * z + 5.18908724e-3f;
  small = small * z - 2.68542115e-2f;
  small = small * z + 0.112835944f;
  small = small * z - 0.37612626f;
  small = small * z + 1.12837911f;
  // 1 - exp(log erfc(a)), the logarithm as a polynomial around 2.5; erf(4) rounds to 1.
  const float u = (a > 4.0f ? 4.0f : a) - 2.5f;
  float q = 1.63863729e-06f;
  q = q * u - 1.33147005e-05f;
  q = q * u + 7.72841522e-05f;
  q = q * u - 4.2012331e-4f;
  q = q * u + 2.16531451e-3f;
  q = q * u - 1.08585414e-2f;
  q = q * u - 0.943893731f;
  q = q * u - 5.35268068f;
  q = q * u - 7.80681515f;
  return std::copysign(a < 1.0f ? a * small : 1.0f - exp_of(q), x);
}
inline double erf_of(double x) { return std::erf(x); }

// The distribution function of the standard normal, (1 + erf(x / sqrt 2)) / 2, within 2e-7; beyond
// 5.4, where it rounds to 1, exactly 0 and 1. One half plus an odd rational function, whose
// coefficients are all positive: nothing cancels.
ATHANOR_INLINE float normal_cdf_of(float x) {
  const float z = x * x;
  float p = 2.35910081e-08f;
  p = p * z + 6.32371648e-06f;
  p = p * z + 1.60694977e-04f;
  p = p * z + 4.62896369e-03f;
  p = p * z + 3.30293732e-02f;
  p = p * z + 0.398942275f;
  float q = 1.21982388e-06f;
  q = q * z + 7.11728786e-05f;
  q = q * z + 1.83865465e-03f;
  q = q * z + 2.81800973e-02f;
  q = q * z + 0.249458824f;
  q = q * z + 1.0f;
  const float inner = x * (p / q);
  return 0.5f + (std::abs(x) >= 5.4f ? std::copysign(0.5f, x) : inner);
}
inline double normal_cdf_of(double x) { return 0.5 * (1.0 + std::erf(x * 0.70710678118654752440)); }

// The derivative of x Phi(x), Phi(x) + x phi(x), within 4e-7; beyond 5.8, where it rounds to 1,
// exactly 0 and 1. One half plus an odd rational function.
ATHANOR_INLINE float gelu_slope_of(float x) {
  const float z = x * x;
  float p = 1.92928610e-07f;
  p = p * z + 3.59558944e-05f;
  p = p * z + 1.92211555e-05f;
  p = p * z + 0.0142303016f;
  p = p * z - 0.0309958290f;
  p = p * z + 0.797885358f;
  float q = 8.95239737e-06f;
  q = q * z + 1.92036488e-04f;
  q = q * z + 0.00352303497f;
  q = q * z + 0.0409802161f;
  q = q * z + 0.294494063f;
  q = q * z + 1.0f;
  const float inner = x * (p / q);
  return 0.5f + (std::abs(x) >= 5.8f ? std::copysign(0.5f, x) : inner);
}
inline double gelu_slope_of(double x) {
  return normal_cdf_of(x) + x * (std::exp(-0.5 * x * x) * 0.39894228040143267794);
}
