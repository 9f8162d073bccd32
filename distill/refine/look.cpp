#include "distill/refine/look.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "data/spectrogram.h"
#include "distill/refine/surface.h"
#include "tensor/ops/copy.h"

namespace athanor::distill {
namespace {

constexpr std::int64_t kCrop = 256;
constexpr double kLeastContrast = .02, kMostNoise = .60;
constexpr double kLeastSeconds = .1, kQuietest = 1e-3, kFullScale = .999, kClipped = .01;
constexpr std::int64_t kSoundWindow = 512, kSoundFrames = 256;
constexpr std::int64_t kOuterBins = 4;  // of a spectrum: hum, and what a converter cuts
constexpr float kDigitalSilence = 1.5f / 32768;
constexpr int kColourless = 8;       // channels of a pixel are so near
constexpr double kLoudRange = 11.5;  // of the spectrogram: ln of 50 dB
constexpr std::int64_t kBlockMeans = 7;

// Means of value(0) ... value(height * width - 1), row by row, over side x side equal parts; pixels
// on a border count by their share.
template <class F>
std::vector<double> part_means(F&& value, std::int64_t height, std::int64_t width,
                               std::int64_t side) {
  struct Part {
    std::int64_t first, last;
    double from, to;
    double share(std::int64_t i) const {
      return std::min(to, static_cast<double>(i + 1)) - std::max(from, static_cast<double>(i));
    }
  };
  const auto part = [side](std::int64_t k, std::int64_t length) {
    Part p{};
    p.from = static_cast<double>(k) * static_cast<double>(length) / static_cast<double>(side);
    p.to = static_cast<double>(k + 1) * static_cast<double>(length) / static_cast<double>(side);
    p.first = k * length / side;
    p.last = std::min(((k + 1) * length + side - 1) / side, length);
    return p;
  };
  std::vector<double> means;
  for (std::int64_t a = 0; a < side; ++a) {
    const Part rows = part(a, height);
    for (std::int64_t b = 0; b < side; ++b) {
      const Part columns = part(b, width);
      double sum = 0;
      for (std::int64_t i = rows.first; i < rows.last; ++i) {
        double line = 0;
        for (std::int64_t j = columns.first; j < columns.last; ++j) {
          line += columns.share(j) * value(i * width + j);
        }
        sum += rows.share(i) * line;
      }
      means.push_back(sum / ((rows.to - rows.from) * (columns.to - columns.from)));
    }
  }
  return means;
}

std::uint8_t level(double value) {
  return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0., 255.)));
}

void check(Look& look, LookFault fault, bool bad) {
  ++look.applied;
  look.failed += bad;
  if (bad && look.fault == LookFault::none) look.fault = fault;
}

template <class F>
double deviation(F&& value, std::int64_t count) {
  double sum = 0, squares = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const double x = value(i);
    sum += x;
    squares += x * x;
  }
  const double n = static_cast<double>(count), mean = sum / n;
  return std::sqrt(std::max(0., squares / n - mean * mean)) / 255;
}

// Of the middle of the picture, in whose own pixels noise can be told.
template <class F>
double noise_of(F&& grey, std::int64_t height, std::int64_t width) {
  const std::int64_t h = std::min(height, kCrop), w = std::min(width, kCrop);
  Tensor crop = empty({1, h, w}, DType::u8);
  auto* out = crop.data<std::uint8_t>();
  for (std::int64_t i = 0; i < h; ++i) {
    const std::int64_t first = ((height - h) / 2 + i) * width + (width - w) / 2;
    for (std::int64_t j = 0; j < w; ++j) *out++ = level(grey(first + j));
  }
  return check_surface(crop).statistics.front().noise;
}

// Longest stretch of digital silence, as a share of the time, that sound comes before and after.
float longest_gap(const float* x, std::int64_t n) {
  std::int64_t longest = 0, last = -1;  // of what is no silence
  for (std::int64_t i = 0; i < n; ++i) {
    if (std::abs(x[i]) <= kDigitalSilence) continue;
    if (last >= 0) longest = std::max(longest, i - last - 1);
    last = i;
  }
  return static_cast<float>(static_cast<double>(longest) / static_cast<double>(n));
}

// Geometric by arithmetic mean of the mean power in each bin of `power` f32 [bins, frames], without
// the outermost ones: 1 = white noise.
float flatness(const Tensor& power) {
  const Tensor all = contiguous(power);
  const std::int64_t bins = all.size(0), frames = all.size(1);
  double logs = 0, sum = 0;
  for (std::int64_t b = kOuterBins; b < bins - kOuterBins; ++b) {
    const float* p = all.data<float>() + b * frames;
    const double mean = std::accumulate(p, p + frames, 0.) / static_cast<double>(frames);
    logs += std::log(std::max(mean, 1e-30));
    sum += mean;
  }
  const double count = static_cast<double>(bins - 2 * kOuterBins);
  return sum > 0 ? static_cast<float>(std::exp(logs / count) / (sum / count)) : 0;
}

// Where the 32 parts of the time begin, in frames: by at most half a part off the sound's
// beginning, such that its centre of gravity is where two parts meet. So a sound that begins a
// little later has the same parts, or the same by one, which copies may be shifted by.
std::int64_t first_frame(const float* x, std::int64_t n, std::int64_t hop) {
  double moment = 0, energy = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double square = double(x[i]) * x[i];
    moment += square * static_cast<double>(i);
    energy += square;
  }
  const double part = static_cast<double>(n) / kLookSide;
  return std::llround(std::remainder(moment / energy, part) / static_cast<double>(hop));
}

}  // namespace

std::string_view name_of(LookFault fault) {
  constexpr std::string_view names[] = {"none",        "tiny_image",    "blank_image",
                                        "noise_image", "missing_block", "foreign_ground",
                                        "short_sound", "silent_sound",  "clipped_sound",
                                        "silent_part", "noise_sound"};
  return names[static_cast<std::size_t>(fault)];
}

Look look_at(const Tensor& picture) {
  const Tensor image = contiguous(picture);
  const std::int64_t height = image.size(1), width = image.size(2), area = height * width;
  const auto* red = image.data<std::uint8_t>();
  const auto *green = red + area, *blue = green + area;
  const auto grey = [&](std::int64_t i) {
    return .299 * red[i] + .587 * green[i] + .114 * blue[i];
  };
  Look look;
  look.there = true;
  const auto put = [&](auto&& value, std::int64_t side, std::uint8_t* out) {
    const std::vector<double> means = part_means(value, height, width, side);
    std::transform(means.begin(), means.end(), out, level);
  };
  put(grey, kLookSide, look.grey.data());
  put([&](std::int64_t i) { return .564 * (blue[i] - grey(i)) + 128; }, kColourSide,
      look.colour.data());
  put([&](std::int64_t i) { return .713 * (red[i] - grey(i)) + 128; }, kColourSide,
      look.colour.data() + kColourSide * kColourSide);
  look.colourless = true;
  for (std::int64_t i = 0; i < area && look.colourless; ++i) {
    const auto [least, most] = std::minmax({red[i], green[i], blue[i]});
    look.colourless = most - least <= kColourless;
  }
  const bool tiny = height < kLeastSmallSide || width < kLeastSmallSide;
  if (!tiny && height <= kSmallSide && width <= kSmallSide) {
    look.height = static_cast<std::uint8_t>(height);
    look.width = static_cast<std::uint8_t>(width);
    for (std::int64_t i = 0; i < area; ++i) look.pixels.push_back(level(grey(i)));
  }
  check(look, LookFault::tiny_image, tiny);
  check(look, LookFault::blank_image, deviation(grey, area) < kLeastContrast);
  if (!tiny) check(look, LookFault::noise_image, noise_of(grey, height, width) > kMostNoise);
  return look;
}

Look look_at(const data::Sound& sound) {
  const Tensor samples = data::mono(sound.samples);
  const std::int64_t n = samples.numel();
  const float* x = samples.data<float>();
  double squares = 0;
  std::int64_t full = 0;
  for (std::int64_t i = 0; i < n; ++i) squares += double(x[i]) * x[i];
  const Tensor all = contiguous(sound.samples);
  for (std::int64_t i = 0; i < all.numel(); ++i)
    full += std::abs(all.data<float>()[i]) >= kFullScale;
  Look look;
  look.there = true;
  look.seconds = static_cast<float>(static_cast<double>(n) / static_cast<double>(sound.rate));
  const bool silent = n == 0 || std::sqrt(squares / static_cast<double>(n)) < kQuietest;
  check(look, LookFault::short_sound, look.seconds < kLeastSeconds);
  check(look, LookFault::silent_sound, silent);
  check(look, LookFault::clipped_sound,
        static_cast<double>(full) > kClipped * static_cast<double>(all.numel()));
  if (silent || n <= kSoundWindow / 2) return look;
  look.gap = longest_gap(x, n);
  data::MelOptions mel;
  mel.stft = {kSoundWindow, std::max<std::int64_t>(1, n / kSoundFrames), 0, true};
  look.flatness = flatness(data::power_spectrogram(samples, mel.stft));
  mel.rate = sound.rate;
  mel.bands = kLookSide;
  const Tensor bands = contiguous(data::log_mel(samples, mel));
  const float* energy = bands.data<float>();
  const double loudest = *std::max_element(energy, energy + bands.numel());
  const std::int64_t frames = bands.size(1);
  const std::int64_t first = first_frame(x, n, mel.stft.hop);
  const auto loudness = [&](std::int64_t i) {
    const std::int64_t frame = i % frames + first;
    if (frame < 0 || frame >= frames) return 0.;
    return std::max(0., energy[i + first] - loudest + kLoudRange) / kLoudRange * 255;
  };
  const auto means = part_means(loudness, kLookSide, frames, kLookSide);
  std::transform(means.begin(), means.end(), look.grey.begin(), level);
  return look;
}

Tensor block_means(const Tensor& images) {
  const std::int64_t N = images.size(0), H = images.size(1), W = images.size(2);
  Tensor means = zeros({N, kBlockMeans * kBlockMeans});
  const auto* pixels = images.data<std::uint8_t>();
  for (std::int64_t i = 0; i < N; ++i) {
    float* out = means.data<float>() + i * kBlockMeans * kBlockMeans;
    for (std::int64_t a = 0; a < kBlockMeans; ++a) {
      for (std::int64_t b = 0; b < kBlockMeans; ++b) {
        const std::int64_t y0 = a * H / kBlockMeans, y1 = (a + 1) * H / kBlockMeans;
        const std::int64_t x0 = b * W / kBlockMeans, x1 = (b + 1) * W / kBlockMeans;
        double sum = 0;
        for (std::int64_t y = y0; y < y1; ++y) {
          for (std::int64_t x = x0; x < x1; ++x) sum += pixels[(i * H + y) * W + x];
        }
        out[a * kBlockMeans + b] =
            static_cast<float>(sum / static_cast<double>((y1 - y0) * (x1 - x0)) / 255);
      }
    }
  }
  return means;
}

Tensor look_pictures(std::span<const Look> looks) {
  Tensor pictures = empty({std::ssize(looks), kLookSide, kLookSide}, DType::u8);
  auto* out = pictures.data<std::uint8_t>();
  for (const Look& look : looks) out = std::copy(look.grey.begin(), look.grey.end(), out);
  return pictures;
}

Tensor look_vectors(std::span<const Look> looks) {
  const std::int64_t n = std::ssize(looks), blocks = kBlockMeans * kBlockMeans;
  constexpr std::int64_t kColours = 2 * kColourSide * kColourSide;
  Tensor vectors = zeros({n, blocks + kColours});
  for (std::int64_t i = 0; i < n; ++i) {
    const Look& look = looks[i];
    if (!look.there) continue;
    Tensor grey = empty({1, kLookSide, kLookSide}, DType::u8);
    std::copy(look.grey.begin(), look.grey.end(), grey.data<std::uint8_t>());
    const Tensor means = block_means(grey);
    const float* m = means.data<float>();
    double sum = 0;
    for (std::int64_t k = 0; k < blocks; ++k) sum += m[k];
    float* out = vectors.data<float>() + i * (blocks + kColours);
    for (std::int64_t k = 0; k < blocks; ++k) {
      out[k] = m[k] - static_cast<float>(sum / static_cast<double>(blocks));
    }
    // A sound has no colours.
    for (std::int64_t k = 0; k < kColours && look.seconds == 0; ++k) {
      out[blocks + k] = (static_cast<float>(look.colour[k]) - 128) / 255;
    }
  }
  return vectors;
}

}  // namespace athanor::distill
