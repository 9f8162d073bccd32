#include "distill/refine/sound_defects.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>
#include <vector>

namespace athanor::distill {
namespace {

std::int64_t frames_of(const data::Sound& sound) { return sound.samples.size(1); }

// Calls fn(samples, frames) for each channel.
template <class Fn>
void each_channel(data::Sound& sound, Fn&& fn) {
  const std::int64_t frames = frames_of(sound);
  for (std::int64_t c = 0; c < sound.samples.size(0); ++c) {
    fn(sound.samples.data<float>() + c * frames, frames);
  }
}

double root_mean_square(const data::Sound& sound) {
  const float* x = sound.samples.data<float>();
  const std::int64_t n = sound.samples.numel();
  const double squares = std::inner_product(x, x + n, x, 0.);
  return n > 0 ? std::sqrt(squares / static_cast<double>(n)) : 0;
}

float clipped(double value) { return static_cast<float>(std::clamp(value, -1., 1.)); }

}  // namespace

void silence_part(data::Sound& sound, Generator& random) {
  const std::int64_t frames = frames_of(sound), margin = frames * 5 / 28;
  const std::int64_t low = frames * 14 / 28, high = frames * 18 / 28;
  const std::int64_t length = low + random.next_below(high - low + 1);
  const std::int64_t places = std::max<std::int64_t>(1, frames - 2 * margin - length + 1);
  const std::int64_t first = std::min(margin + random.next_below(places), frames - length);
  each_channel(sound, [&](float* x, std::int64_t) { std::fill_n(x + first, length, 0.f); });
}

void add_sound_noise(data::Sound& sound, double ratio, Generator& random) {
  const double stddev = ratio * root_mean_square(sound);
  std::vector<double> noise(static_cast<std::size_t>(frames_of(sound)));
  for (double& value : noise) value = stddev * random.next_normal();
  each_channel(sound, [&](float* x, std::int64_t frames) {
    for (std::int64_t i = 0; i < frames; ++i) x[i] = clipped(x[i] + noise[i]);
  });
}

void reverse_sound(data::Sound& sound) {
  each_channel(sound, [](float* x, std::int64_t frames) { std::reverse(x, x + frames); });
}

void shuffle_parts(data::Sound& sound, Generator& random) {
  constexpr std::int64_t kParts = 16;
  std::array<std::int64_t, kParts> from;
  std::iota(from.begin(), from.end(), 0);
  for (std::int64_t i = kParts - 1; i > 0; --i) std::swap(from[i], from[random.next_below(i + 1)]);
  each_channel(sound, [&](float* x, std::int64_t frames) {
    const std::vector<float> old(x, x + frames);
    const std::int64_t length = frames / kParts;
    for (std::int64_t part = 0; part < kParts; ++part) {
      std::copy_n(old.begin() + from[part] * length, length, x + part * length);
    }
  });
}

void draw_tones(data::Sound& sound, Generator& random) {
  constexpr int kTones = 5;
  constexpr double kLowest = 100;  // Hz
  const double rate = static_cast<double>(sound.rate), loudness = root_mean_square(sound);
  const std::int64_t frames = frames_of(sound);
  std::vector<double> tones(static_cast<std::size_t>(frames));
  for (int tone = 0; tone < kTones; ++tone) {
    const double hertz = kLowest + (rate / 4 - kLowest) * random.next_uniform();
    const double phase = random.next_uniform();
    for (std::int64_t i = 0; i < frames; ++i) {
      const double turns = hertz * static_cast<double>(i) / rate + phase;
      tones[i] += std::sin(2 * std::numbers::pi * turns);
    }
  }
  // Sines of a root mean square of 1/sqrt(2), of unrelated frequencies.
  const double scale = loudness / std::sqrt(kTones / 2.);
  each_channel(sound, [&](float* x, std::int64_t) {
    for (std::int64_t i = 0; i < frames; ++i) x[i] = clipped(scale * tones[i]);
  });
}

void shift_and_scale(data::Sound& sound, Generator& random) {
  const std::int64_t most = std::max<std::int64_t>(1, sound.rate / 100);
  const bool later = random.next_below(2) == 1;
  const std::int64_t by = 1 + random.next_below(most);
  const float* all = sound.samples.data<float>();
  double peak = 0;
  for (std::int64_t i = 0; i < sound.samples.numel(); ++i) {
    peak = std::max<double>(peak, std::abs(all[i]));
  }
  const double wanted = std::exp2(2 * random.next_uniform() - 1);
  const double gain = peak > 0 ? std::min(wanted, 1 / peak) : 1;
  each_channel(sound, [&](float* x, std::int64_t frames) {
    const std::int64_t shift = std::min(by, frames);
    if (later) {
      std::copy_backward(x, x + frames - shift, x + frames);
      std::fill_n(x, shift, 0.f);
    } else {
      std::copy(x + shift, x + frames, x);
      std::fill_n(x + frames - shift, shift, 0.f);
    }
    for (std::int64_t i = 0; i < frames; ++i) x[i] = clipped(x[i] * gain);
  });
}

}  // namespace athanor::distill
