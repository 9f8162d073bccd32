#include "data/audio.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <numbers>

#include "data/spectrogram.h"
#include "tests/io/mutate.h"
#include "tests/io/scratch.h"

using namespace athanor;
using namespace athanor::data;
using athanor::test::error_of;

namespace {

template <class T>
void put(std::string& out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}

// 16-bit PCM WAV; samples interleaved.
std::string wav(const std::vector<std::int16_t>& samples, std::uint16_t channels,
                std::uint32_t rate) {
  std::string out = "RIFF";
  const auto size = static_cast<std::uint32_t>(2 * samples.size());
  put<std::uint32_t>(out, 36 + size);
  out += "WAVEfmt ";
  put<std::uint32_t>(out, 16);
  put<std::uint16_t>(out, 1);
  put<std::uint16_t>(out, channels);
  put<std::uint32_t>(out, rate);
  put<std::uint32_t>(out, rate * channels * 2);
  put<std::uint16_t>(out, static_cast<std::uint16_t>(2 * channels));
  put<std::uint16_t>(out, 16);
  out += "data";
  put<std::uint32_t>(out, size);
  for (const std::int16_t sample : samples) put(out, sample);
  return out;
}

Tensor tone(double cycles, std::int64_t count) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i) {
    values.push_back(static_cast<float>(std::sin(
        2 * std::numbers::pi * cycles * static_cast<double>(i) / static_cast<double>(count))));
  }
  return from_values(values, {count});
}

}  // namespace

TEST_CASE("WAV files become samples") {
  const Sound sound =
      parse_sound(test::as_bytes(wav({0, 16384, -32768, 8192, 100, -100}, 2, 8000)), "x.wav");
  CHECK(sound.rate == 8000);
  CHECK(sound.samples.shape() == Shape{2, 3});
  CHECK(sound.samples.to_vector<float>() ==
        std::vector<float>{0, -1, 100 / 32768.f, 0.5f, 0.25f, -100 / 32768.f});
  CHECK(mono(sound.samples).to_vector<float>() == std::vector<float>{0.25f, -0.375f, 0});
}

TEST_CASE("a WAV of 16 bits goes there and back exactly; what it cannot hold is said") {
  const std::string bytes = wav({0, 32767, -32768, 1, -1, 12345}, 2, 44100);
  const Sound sound = parse_sound(test::as_bytes(bytes), "x.wav");
  CHECK(to_wav(sound) == bytes);
  Sound loud{from_values(std::vector<float>{1.5f, -7, .6f / 32768}, {1, 3}), 8000};
  CHECK(to_wav(loud) == wav({32767, -32768, 1}, 1, 8000));
  CHECK(parse_sound(test::as_bytes(to_wav({empty({1, 0}), 8000})), "x").samples.numel() == 0);
  loud.rate = 0;
  CHECK_THAT(
      error_of([&] { to_wav(loud); }).what(),
      Catch::Contains("1 to 65,535 channels, a rate and below 2 GiB of samples, got 1 channels "
                      "of 3 frames at 0 Hz"));
  CHECK_THROWS_AS(to_wav({empty({0, 5}), 8000}), Error);
  CHECK_THROWS_AS(to_wav({empty({5}), 8000}), Error);
}

TEST_CASE("damaged sound files are refused or read, never worse") {
  const std::string bytes = wav(std::vector<std::int16_t>(200, 7), 1, 8000);
  Limits limits;
  limits.max_bytes = 1 << 20;
  const auto parse = [&](std::span<const std::byte> b) { parse_sound(b, "x.wav", limits); };
  // A header that is cut inside its last field, the size of the data, reads as no samples.
  CHECK(test::every_truncation(bytes.substr(0, 44), parse).accepted <= 3);
  CHECK(test::random_mutations(bytes, 1000, parse).refused > 50);
  limits.max_bytes = 799;
  CHECK_THAT(error_of([&] { parse(test::as_bytes(bytes)); }).what(),
             Catch::Contains("expected at most 799 bytes of samples, found 1 channels of 200"));
  CHECK_THAT(error_of([&] { parse(test::as_bytes("no sound at all, only text")); }).what(),
             Catch::StartsWith("x.wav: offset 0, sound: expected WAV"));
}

TEST_CASE("a tone's power stands in its bin") {
  StftOptions options;
  options.window = 64;
  options.hop = 16;
  const Tensor power = power_spectrogram(tone(32, 256), options);  // 8 cycles a window
  CHECK(power.shape() == Shape{33, 17});
  const auto values = power.to_vector<float>();
  for (std::size_t t = 4; t < 13; ++t) {  // away from the reflected ends
    // A Hann window sums to 32: a sine of amplitude 1 has |X| = 16.
    CHECK(values[8 * 17 + t] == Approx(256).epsilon(1e-4));
    CHECK(values[20 * 17 + t] < 1e-6);
  }
  options.centre = false;
  CHECK(power_spectrogram(tone(32, 256), options).shape() == Shape{33, 13});
  CHECK_THROWS_AS(power_spectrogram(tone(1, 20), options), Error);
}

TEST_CASE("mel bands are triangles that meet") {
  MelOptions options;
  options.rate = 8000;
  options.stft.window = 512;
  options.bands = 20;
  const auto bands = mel_bands(options).to_vector<float>();
  for (std::size_t k = 20; k < 200; ++k) {  // inside, neighbouring bands sum to 1
    float sum = 0;
    for (std::size_t b = 0; b < 20; ++b) sum += bands[b * 257 + k];
    CHECK(sum == Approx(1).margin(1e-5));
  }
  const Tensor mel = log_mel(tone(512, 2048), options);
  CHECK(mel.size(0) == 20);
  CHECK(mel.size(1) == 2048 / 160 + 1);
  options.low = 5000;
  CHECK_THROWS_AS(mel_bands(options), Error);
}
