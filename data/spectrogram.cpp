#include "data/spectrogram.h"

#include <kissfft/kiss_fftr.h>

#include <cmath>
#include <memory>
#include <numbers>
#include <vector>

namespace athanor::data {
namespace {

struct Free {
  void operator()(kiss_fftr_cfg plan) const { kiss_fftr_free(plan); }
};
using Plan = std::unique_ptr<std::remove_pointer_t<kiss_fftr_cfg>, Free>;

// The signal with `margin` samples reflected at both ends, the end samples not doubled.
std::vector<float> reflected(const std::vector<float>& x, std::int64_t margin) {
  const auto n = std::ssize(x);
  std::vector<float> out(static_cast<std::size_t>(n + 2 * margin));
  for (std::int64_t i = 0; i < std::ssize(out); ++i) {
    std::int64_t from = i - margin;
    if (from < 0) from = -from;
    if (from >= n) from = 2 * (n - 1) - from;
    out[static_cast<std::size_t>(i)] = x[static_cast<std::size_t>(from)];
  }
  return out;
}

std::vector<float> hann(std::int64_t window, std::int64_t fft) {
  std::vector<float> out(static_cast<std::size_t>(fft), 0.0f);
  const std::int64_t left = (fft - window) / 2;
  for (std::int64_t i = 0; i < window; ++i) {
    const double angle =
        2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(window);
    out[static_cast<std::size_t>(left + i)] = static_cast<float>(0.5 - 0.5 * std::cos(angle));
  }
  return out;
}

std::int64_t fft_size(const StftOptions& o) { return o.fft > 0 ? o.fft : o.window; }

}  // namespace

Tensor power_spectrogram(const Tensor& samples, const StftOptions& o) {
  const std::int64_t fft = fft_size(o);
  if (samples.rank() != 1 || samples.dtype() != DType::f32) {
    fail("power_spectrogram", "expected f32 [samples], got ", describe(samples));
  }
  if (o.window < 2 || o.hop < 1 || fft < o.window || fft % 2 != 0 || fft > (1 << 24)) {
    fail("power_spectrogram", "expected window >= 2, hop >= 1 and an even fft >= window, got ",
         o.window, ", ", o.hop, " and ", fft);
  }
  std::vector<float> x = samples.to_vector<float>();
  const std::int64_t least = o.centre ? fft / 2 + 1 : fft;
  if (std::ssize(x) < least) {
    fail("power_spectrogram", "expected at least ", least, " samples, got ", x.size());
  }
  if (o.centre) x = reflected(x, fft / 2);
  const std::int64_t frames = (std::ssize(x) - fft) / o.hop + 1, bins = fft / 2 + 1;
  const std::vector<float> window = hann(o.window, fft);
  const Plan plan(kiss_fftr_alloc(static_cast<int>(fft), 0, nullptr, nullptr));
  if (!plan) throw std::bad_alloc();
  std::vector<float> piece(static_cast<std::size_t>(fft));
  std::vector<kiss_fft_cpx> spectrum(static_cast<std::size_t>(bins));
  Tensor out = empty({bins, frames});
  for (std::int64_t t = 0; t < frames; ++t) {
    for (std::size_t i = 0; i < piece.size(); ++i) {
      piece[i] = x[static_cast<std::size_t>(t * o.hop) + i] * window[i];
    }
    kiss_fftr(plan.get(), piece.data(), spectrum.data());
    for (std::int64_t b = 0; b < bins; ++b) {
      const kiss_fft_cpx z = spectrum[static_cast<std::size_t>(b)];
      out.data<float>()[b * frames + t] = z.r * z.r + z.i * z.i;
    }
  }
  return out;
}

Tensor mel_bands(const MelOptions& o) {
  const std::int64_t bins = fft_size(o.stft) / 2 + 1;
  const double nyquist = static_cast<double>(o.rate) / 2, high = o.high > 0 ? o.high : nyquist;
  if (o.bands < 1 || o.rate < 1 || o.low < 0 || !(o.low < high) || high > nyquist) {
    fail("mel_bands", "expected bands >= 1 and 0 <= low < high <= ", nyquist, ", got ", o.bands,
         ", ", o.low, " and ", high);
  }
  const auto mel = [](double hz) { return 2595 * std::log10(1 + hz / 700); };
  const auto hertz = [](double m) { return 700 * (std::pow(10, m / 2595) - 1); };
  // Band b rises from edge b to b + 1 and falls to b + 2.
  std::vector<double> edges;
  for (std::int64_t i = 0; i < o.bands + 2; ++i) {
    const double share = static_cast<double>(i) / static_cast<double>(o.bands + 1);
    edges.push_back(hertz(mel(o.low) + share * (mel(high) - mel(o.low))));
  }
  Tensor out = empty({o.bands, bins});
  for (std::int64_t b = 0; b < o.bands; ++b) {
    const auto at = static_cast<std::size_t>(b);
    for (std::int64_t k = 0; k < bins; ++k) {
      const double f = nyquist * static_cast<double>(k) / static_cast<double>(bins - 1);
      const double rise = (f - edges[at]) / (edges[at + 1] - edges[at]);
      const double fall = (edges[at + 2] - f) / (edges[at + 2] - edges[at + 1]);
      out.data<float>()[b * bins + k] = static_cast<float>(std::max(0.0, std::min(rise, fall)));
    }
  }
  return out;
}

Tensor log_mel(const Tensor& samples, const MelOptions& o) {
  const Tensor power = power_spectrogram(samples, o.stft), bands = mel_bands(o);
  const std::int64_t bins = power.size(0), frames = power.size(1);
  Tensor out = empty({o.bands, frames});
  std::vector<double> energy(static_cast<std::size_t>(frames));
  for (std::int64_t b = 0; b < o.bands; ++b) {
    std::fill(energy.begin(), energy.end(), 0.0);
    for (std::int64_t k = 0; k < bins; ++k) {
      const double weight = bands.data<float>()[b * bins + k];
      if (weight == 0) continue;
      const float* row = power.data<float>() + k * frames;
      for (std::size_t t = 0; t < energy.size(); ++t) energy[t] += weight * row[t];
    }
    for (std::int64_t t = 0; t < frames; ++t) {
      out.data<float>()[b * frames + t] =
          static_cast<float>(std::log(energy[static_cast<std::size_t>(t)] + 1e-6));
    }
  }
  return out;
}

}  // namespace athanor::data
